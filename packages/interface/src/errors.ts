/**
 * The base of every error that crosses a package border.
 *
 * `definite: true` says "it did not happen and will not happen"; `false` says "unknown: it may have happened, or may yet"
 * (the definite and indefinite errors of Maelstrom). An expected refusal (not the leader, revision mismatch) is a value,
 * not an error.
 */
export abstract class ConclaveError extends Error {
  abstract override readonly name: string
  /** Stable and machine-readable, in kebab case: `not-leader`, `overloaded`, `corrupt-journal`. */
  abstract readonly code: string
  abstract readonly definite: boolean
}

/** An invariant does not hold. The node must stop before it lies; this is never caught and carried on from. */
export class AssertionFailed extends ConclaveError {
  override readonly name = 'AssertionFailed'
  readonly code = 'assertion-failed'
  readonly definite = false
}

/**
 * Asserts an invariant, in production too.
 * @throws AssertionFailed with `message` if `condition` is false.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionFailed(message)
}

/** Makes an exhaustive `switch` a type error when a case is missing. @throws AssertionFailed always. */
export function unreachable(value: never): never {
  throw new AssertionFailed(`unreachable: ${JSON.stringify(value)}`)
}

/** Bytes from outside (wire or disk) do not parse. The sender or the disk is at fault, never the reader. */
export class MalformedBytes extends ConclaveError {
  override readonly name = 'MalformedBytes'
  readonly code = 'malformed'
  readonly definite = true
}

/** The journal found damage that is no torn tail. The node must not vote on it: replace its identity and join anew. */
export class CorruptJournal extends ConclaveError {
  override readonly name = 'CorruptJournal'
  readonly code = 'corrupt-journal'
  readonly definite = true
}

/** A write or sync failed. Nothing can be said of what is on the disk until the directory is opened anew. Terminal. */
export class JournalFailed extends ConclaveError {
  override readonly name = 'JournalFailed'
  readonly code = 'journal-failed'
  readonly definite = false
}

/** Another live process owns the data directory. */
export class DataDirectoryInUse extends ConclaveError {
  override readonly name = 'DataDirectoryInUse'
  readonly code = 'data-directory-in-use'
  readonly definite = true
}
