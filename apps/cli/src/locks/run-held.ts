import type { Lock, Session } from '@conclave/client'
import { onEndSignals } from '../signals.ts'
import type { Guard, GuardedCommand } from './guarded-command.ts'
import { watchLeaseEnd } from './lease-end.ts'
import { runGuarded } from './run-guarded.ts'

export interface HeldCommand {
  readonly session: Session
  readonly lock: Lock
  readonly guard: Guard
  readonly command: readonly string[]
  /** Milliseconds from SIGTERM to SIGKILL. */
  readonly killAfter: number
  /** Milliseconds before the end of the lease by which SIGKILL has been sent. */
  readonly margin: number
}

/** `lost`: the command was stopped, or is ended, since the lock could not be relied on. */
export type HeldOutcome = { readonly lost: boolean; readonly code: number }

/** What the command knows of its lock. */
const environmentOf = (lock: Lock): Record<string, string> => ({
  CONCLAVE_LOCK_NAME: lock.path,
  CONCLAVE_LOCK_TOKEN: String(lock.token),
  CONCLAVE_LOCK_SEQUENCER: lock.sequencer,
})

/**
 * Runs a command for as long as a lock is held. If the lease is not extended, it is stopped so early that SIGKILL has been sent before the lease is over by the local clock, which is before
 * another can get the lock. Signals go to the command; a second one kills it.
 * @throws LockLost if the lock is lost before it begins.
 */
export const runHeld = async ({
  session,
  lock,
  guard,
  command,
  killAfter,
  margin,
}: HeldCommand): Promise<HeldOutcome> => {
  let lost = false
  const begun = (running: GuardedCommand): (() => void)[] => {
    let killer: NodeJS.Timeout | undefined
    const kill = (): void => running.signal('SIGKILL')
    const lose = (): void => {
      lost = true
      kill()
    }
    const stop = (): void => {
      lost = true
      const left = session.validUntil - margin - performance.now()
      if (left <= 0) return kill()
      running.signal('SIGTERM')
      killer = setTimeout(kill, Math.min(killAfter, left))
    }
    return [
      watchLeaseEnd({
        session,
        before: killAfter + margin,
        extended: (until) => running.lasts(until),
        near: stop,
      }),
      session.on('jeopardy', lose),
      session.on('expired', lose),
      onEndSignals((signal, before) => running.signal(before === 0 ? signal : 'SIGKILL')),
      () => clearTimeout(killer),
    ]
  }
  const environment = environmentOf(lock)
  const code = await runGuarded({ guard, command, environment, until: session.validUntil, begun })
  return { lost: lost || !lock.held, code }
}
