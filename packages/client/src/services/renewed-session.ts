import { pause } from '../abortable.ts'
import type { Client } from '../client.ts'
import { ClientClosed, Refused } from '../errors.ts'
import type { Duration } from '../locks/durations.ts'
import { FileProblem } from '../locks/errors.ts'
import type { Session } from '../locks/session.ts'

/** What begins sessions: a client, or one that connects when it can (`lazyClient`). Whatever else does so has to give up by `options.signal`. */
export type SessionSource = Pick<Client, 'session'>

export interface RenewedSessionInit {
  readonly source: SessionSource
  readonly ttl: Duration
  /** Ends it. */
  readonly signal: AbortSignal
  /** The longest wait between two attempts, in milliseconds. */
  readonly mostPause: number
  /** Uses a session for as long as it likes: it is done when this returns, and another session is begun when it throws. `works`: what came before is no reason to wait any more. */
  readonly use: (session: Session, works: () => void) => Promise<void>
  /** An attempt has failed, or a session was lost; another one follows. */
  readonly failed: (error: unknown) => void
}

const firstPause = 25
/** What was refused for good is tried again seldom, in case somebody changes an access control list: each attempt costs entries of the log. */
const mostPauseRefused = 15_000

/** Uses one session after the other until the work is done. @throws ClientClosed: there will be no other session. */
export const useSessions = async (init: RenewedSessionInit): Promise<void> => {
  const { source, ttl, signal, mostPause, use, failed } = init
  let failures = 0
  while (!signal.aborted) {
    let most = mostPause
    try {
      await using session = await source.session({ ttl, signal })
      if (signal.aborted) return
      return await use(session, () => {
        failures = 0
      })
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof ClientClosed) throw error
      failed(error)
      if (error instanceof FileProblem || error instanceof Refused) most = mostPauseRefused
    }
    const usual = Math.min(most, firstPause * 2 ** Math.min(failures++, 10))
    // Shortened by chance, so that those who lost the same cluster do not all come back at once.
    await pause(usual * (0.5 + Math.random() / 2), signal)
  }
}
