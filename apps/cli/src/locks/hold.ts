import type { Lock, Session } from '@conclave/client'
import { Flags } from '@oclif/core'
import { parseDuration } from '../duration.ts'
import { CommandFailed, exitCodes } from '../exit.ts'
import { interruption, onEndSignals } from '../signals.ts'
import { codeOfSignal, Guard } from './guarded-command.ts'
import { openSession, sessionFlags } from './open-session.ts'
import { runHeld } from './run-held.ts'

const exitFlag = (when: string, code: number) =>
  Flags.integer({ description: `exit code ${when}`, default: code, min: 0, max: 255, helpValue: 'CODE' })

/** How a lock is asked for, and how what it guards is stopped. */
export const holdFlags = {
  ...sessionFlags,
  wait: Flags.string({
    description: 'give up after so long; 0: do not wait (default: wait for ever)',
    helpValue: '30s',
  }),
  ttl: Flags.string({
    description: 'the lock passes on when this client is gone for so long: 500ms to 60s',
    default: '12s',
    helpValue: '12s',
  }),
  'lock-delay': Flags.string({
    description: 'should this client fail, nobody gets the lock for so long: at most 60s',
    default: '0s',
    helpValue: '10s',
  }),
  'kill-after': Flags.string({
    description: 'from SIGTERM to SIGKILL, if the lock is about to be lost (default 5s, or a third of a ttl below 12s)',
    helpValue: '5s',
  }),
  'exit-busy': exitFlag('if another holds the lock for as long as was waited', 75),
  'exit-lost': exitFlag('if the lock was lost', 76),
}

interface HoldFlags {
  readonly endpoints?: readonly string[] | undefined
  readonly data?: string | undefined
  readonly timeout: number
  readonly identity?: string | undefined
  readonly wait?: string | undefined
  readonly ttl: string
  readonly 'lock-delay': string
  readonly 'kill-after'?: string | undefined
  readonly 'exit-busy': number
  readonly 'exit-lost': number
}

const usualTtl = 12_000
const usualKillAfter = 5_000

/** Milliseconds. */
interface Timing {
  readonly ttl: number
  readonly killAfter: number
  readonly margin: number
}

/**
 * A lease is extended when at least half of it is left: what stops the command has to begin after that, or it would begin each time.
 * @throws CommandFailed (2) if `--kill-after` is more than half of `--ttl`.
 */
export const timingOf = (flags: Pick<HoldFlags, 'ttl' | 'kill-after'>): Timing => {
  const ttl = parseDuration(flags.ttl, 'ttl')
  const given = flags['kill-after']
  const usual = ttl < usualTtl ? ttl / 3 : usualKillAfter
  const killAfter = given === undefined ? usual : parseDuration(given, 'kill-after', 0)
  if (killAfter * 2 > ttl)
    throw new CommandFailed(
      exitCodes.usage,
      'invalid-kill-after',
      `--kill-after ${given} is more than half of --ttl ${flags.ttl}: the command would be stopped while the lock is good`,
      `Give a longer --ttl, or at most --kill-after ${Math.floor(ttl / 2)}ms.`,
    )
  return { ttl, killAfter, margin: Math.min(250, ttl / 20) }
}

export interface Hold {
  /** The whole path, or short for one in this cluster's cell. */
  readonly path: string
  readonly mode: 'exclusive' | 'shared'
  /** Empty: nothing is run, the lock is held until a signal comes. */
  readonly command: readonly string[]
  /** Called when the lock is held, before the command begins. */
  readonly held?: (lock: Lock, session: Session) => Promise<void>
  /** Called in the end, if the lock was not lost, before it is released. */
  readonly leaving?: () => Promise<void>
}

/** Acquires a lock, does what is asked while it is held, and gives it back. @returns the exit code. @throws CommandFailed (`--exit-busy`, `--exit-lost`, 2). */
export const hold = async (flags: HoldFlags, terms: Hold): Promise<number> => {
  const timing = timingOf(flags)
  const wait = flags.wait === undefined ? {} : { wait: parseDuration(flags.wait, 'wait', 0) }
  const lockDelay = parseDuration(flags['lock-delay'], 'lock-delay', 0)
  const guard = terms.command.length === 0 ? undefined : new Guard()
  using interrupted = interruption()
  const { signal } = interrupted
  try {
    await using open = await openSession(flags, { ttl: timing.ttl, signal })
    const { session } = open
    const lock = await session.lock(terms.path, { mode: terms.mode, lockDelay, signal, ...wait })
    await Promise.race([terms.held?.(lock, session), fired(signal)])
    interrupted[Symbol.dispose]()
    const outcome =
      guard === undefined
        ? await untilSignal(session, lock)
        : await runHeld({ session, lock, guard, command: terms.command, ...timing })
    if (outcome.lost) {
      const { LockLost } = await import('@conclave/client')
      throw new LockLost(lock.path, 'its lease was not extended in time')
    }
    await terms.leaving?.()
    return outcome.code
  } catch (error) {
    if (interrupted.came !== undefined) return codeOfSignal(interrupted.came)
    throw await failureOf(error, flags)
  } finally {
    guard?.dismiss()
  }
}

/** Rejects when the signal fires, or has: what is raced against it may never end. */
const fired = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const fail = (): void => reject(signal.reason)
    signal.addEventListener('abort', fail, { once: true })
    if (signal.aborted) fail()
  })

const untilSignal = (session: Session, lock: Lock): Promise<{ readonly lost: boolean; readonly code: number }> =>
  new Promise((resolve) => {
    const offs = [
      onEndSignals(() => end(!lock.held)),
      session.on('jeopardy', () => end(true)),
      session.on('expired', () => end(true)),
    ]
    const end = (lost: boolean): void => {
      for (const off of offs) off()
      resolve({ lost, code: 0 })
    }
  })

const failureOf = async (error: unknown, flags: HoldFlags): Promise<unknown> => {
  const { LockHeld, LockLost } = await import('@conclave/client')
  if (error instanceof LockHeld)
    return new CommandFailed(flags['exit-busy'], error.code, error.message, 'See who holds it: conclave lock-list')
  if (error instanceof LockLost)
    return new CommandFailed(flags['exit-lost'], error.code, error.message, 'Look at the cluster: conclave status')
  return error
}
