import type { Cancel } from '@conclave/interface'
import type { CommandReply, Grant } from '@conclave/machine-chubby'
import { unlessAborted } from '../abortable.ts'
import { Unavailable } from '../errors.ts'
import type { ClientClock } from '../time.ts'
import { LockHeld } from './errors.ts'
import type { Handle } from './handle.ts'

/** An opened file, and what came of asking for its lock. */
export interface Opened {
  readonly handle: Handle
  readonly reply: CommandReply & { readonly status: 'opened' }
}

/** How a lock is asked for. */
export interface Terms {
  readonly path: string
  /** Milliseconds; 0 and infinity: no bound. */
  readonly wait: number
  /** Has not fired. */
  readonly signal: AbortSignal | undefined
  /** Opens the file and asks for its lock. */
  readonly open: () => Promise<Opened>
}

export interface Acquired {
  readonly handle: Handle
  readonly grant: Grant
}

export interface AcquisitionsInit {
  readonly clock: ClientClock
  /** Resolves when the lease is good: what was granted before that is not to be relied on. */
  readonly whenGood: () => Promise<void>
}

/** Locks that one session asks for. Whoever gives up does not wait for the cluster: what was asked for is given back in the background. */
export class Acquisitions {
  readonly #init: AcquisitionsInit
  /** By path: what was given up, and may still be in line or hold the lock. */
  readonly #leaving = new Map<string, Promise<void>>()

  constructor(init: AcquisitionsInit) {
    this.#init = init
  }

  /** @returns undefined if another has it. @throws LockHeld, Unavailable if the wait is over; the reason of the signal; what `open` and `Handle.awaitGrant` throw. */
  async acquire(terms: Terms): Promise<Acquired | undefined> {
    const { path, wait, signal: given } = terms
    const giveUp = new AbortController()
    const { signal } = giveUp
    const aborted = (): void => giveUp.abort(given?.reason)
    given?.addEventListener('abort', aborted, { once: true })
    let inLine = false
    let cancel: Cancel = () => {}
    if (wait > 0 && wait < Number.POSITIVE_INFINITY)
      cancel = this.#init.clock.afterHolding(wait, () =>
        giveUp.abort(inLine ? new LockHeld(path, wait) : unanswered(path, wait)),
      )
    const opening = this.#open(terms, signal)
    try {
      const opened = await unlessAborted(opening, signal)
      if (opened === undefined) throw signal.reason
      const { handle, reply } = opened
      if (reply.lock?.state === 'busy') {
        await handle.close()
        return undefined
      }
      inLine = reply.lock?.state === 'queued'
      const grant = await handle.awaitGrant(signal)
      inLine = false
      // The session is looked at again: it may have been in jeopardy meanwhile.
      await unlessAborted(this.#init.whenGood(), signal)
      signal.throwIfAborted()
      return { handle, grant }
    } catch (error) {
      this.#leave(path, opening)
      throw error
    } finally {
      cancel()
      given?.removeEventListener('abort', aborted)
    }
  }

  /** Not before what was given up is gone: it would stand in the way of what is asked for now. */
  #open({ path, open }: Terms, signal: AbortSignal): Promise<Opened> {
    const before = this.#leaving.get(path)
    if (before === undefined) return open()
    return before.then(() => {
      signal.throwIfAborted()
      return open()
    })
  }

  #leave(path: string, opening: Promise<Opened>): void {
    const left = opening
      .then(({ handle }) => handle.close())
      // What was not opened leaves nothing, and what cannot be closed goes with the session.
      .catch(() => {})
      .then(() => {
        if (this.#leaving.get(path) === left) this.#leaving.delete(path)
      })
    this.#leaving.set(path, left)
  }
}

const unanswered = (path: string, wait: number): Unavailable =>
  new Unavailable(
    `the cluster has not answered within the ${wait} ms that were to be waited for the lock ${path}`,
    true,
  )
