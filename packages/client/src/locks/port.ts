import type { Random } from '@conclave/interface'
import type { ClientClock } from '../time.ts'

/** All that sessions and locks need of the world: so that they run in virtual time as well. */
export interface LockPort {
  /** The local monotonic clock by which leases are judged. */
  readonly clock: ClientClock
  /** For session ids. */
  readonly random: Random
  /** Who this client is, as its key proves it. */
  readonly principal: string
  /** What `/ls/local` stands for. */
  readonly cluster: string
  /**
   * Calls the session service: that of the leader, or of any node. Asked again until it is answered; then `done` is called, once, with the reply, which it may keep, and when the attempt
   * that was answered left. `failed`: it never will be. @returns what gives it up.
   */
  ask(
    request: Uint8Array,
    target: 'leader' | 'any',
    done: (reply: Uint8Array, sentAt: number) => void,
    failed: (error: unknown) => void,
  ): () => void
  /** Has a command decided, once, however long that takes. @returns the reply. Rejects if it was given up by `signal`, or can never be known. */
  command(bytes: Uint8Array, signal: AbortSignal): Promise<Uint8Array>
}
