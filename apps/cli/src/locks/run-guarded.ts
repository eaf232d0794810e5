import { type Guard, GuardedCommand } from './guarded-command.ts'

export interface GuardedRun {
  readonly guard: Guard
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** To which it may run, by `performance.now()`, unless that is extended; undefined: for as long as it likes. */
  readonly until?: number
  /** Called when it has begun. @returns what is to be called when it has ended. */
  readonly begun: (running: GuardedCommand) => readonly (() => void)[]
}

/** Runs a command, and kills what it left behind in its process group when it has ended. @returns its exit code. */
export const runGuarded = async ({ guard, command, environment, until, begun }: GuardedRun): Promise<number> => {
  const running = new GuardedCommand(guard, command, environment, until)
  const kill = (): void => running.signal('SIGKILL')
  const offs = begun(running)
  // Whoever started this one is gone, and could not say so by a signal.
  process.once('disconnect', kill)
  try {
    return await running.ended
  } finally {
    for (const off of offs) off()
    process.off('disconnect', kill)
    kill()
    guard.dismiss()
  }
}
