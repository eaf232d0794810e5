import { ConclaveError } from '@conclave/interface'
import type { Problem } from '@conclave/machine-chubby'

/** The lock cannot be relied on any more: the lease of its session has run out by the local clock, or it was released. Stop what it guards; acquire it anew. */
export class LockLost extends ConclaveError {
  override readonly name = 'LockLost'
  readonly code = 'lock-lost'
  readonly definite = true

  constructor(path: string, why: string) {
    super(`the lock ${path} cannot be relied on any more: ${why}. Stop what it guards, and acquire it anew`)
  }
}

/** Somebody else held the lock for as long as was waited. It was not acquired. */
export class LockHeld extends ConclaveError {
  override readonly name = 'LockHeld'
  readonly code = 'lock-held'
  readonly definite = true

  constructor(path: string, waited: number) {
    const held = waited === 0 ? 'is held by another' : `was held by another for the ${waited} ms that were waited`
    super(`the lock ${path} ${held}: wait longer, or try again later`)
  }
}

/** The session is over: it expired, was ended, or its cluster was away for longer than the grace period. Its locks and ephemeral files are gone, or will be. Begin a new one. */
export class SessionLost extends ConclaveError {
  override readonly name = 'SessionLost'
  readonly code = 'session-lost'
  readonly definite = false
}

const advice: Readonly<Partial<Record<Problem, string>>> = {
  'no-node': 'there is no such file or directory',
  exists: 'it is there already',
  'not-a-directory': 'it, or what it would be in, is no directory',
  'is-a-directory': 'it is a directory',
  'not-empty': 'the directory is not empty: remove what is in it first',
  'no-handle': 'it was deleted, or the handle closed: open it again',
  denied: 'its access control list does not name this client, or the handle was opened for less',
  mismatch: 'it was changed since: read it again, then decide',
  'stale-sequencer': 'the sequencer of the handle is no longer valid: its lock has passed on',
  'lock-in-use': 'its lock is in use',
  'too-many': 'the cell is full: remove what is not needed',
}

/** The lock service refused the call. Nothing has changed. */
export class FileProblem extends ConclaveError {
  override readonly name = 'FileProblem'
  readonly code: Problem
  readonly definite = true
  readonly path: string
  /** Of a mismatch: the generation that there is. */
  readonly generation: bigint | undefined

  constructor(code: Problem, path: string, generation?: bigint) {
    super(`${path}: ${advice[code] ?? code}`)
    this.code = code
    this.path = path
    this.generation = generation
  }
}

/** The guarded resource has seen a higher token: whoever shows this one held the lock before somebody else did. Nothing was written. */
export class StaleToken extends ConclaveError {
  override readonly name = 'StaleToken'
  readonly code = 'stale-token'
  readonly definite = true

  constructor(resource: string, token: bigint) {
    super(`${resource} has seen a higher fencing token than ${token}: the lock has passed on to another`)
  }
}
