/** What the session service of the leader reads of the machine's state. */
import type { LogTime } from '@conclave/interface'
import type { ChubbyCommand } from './commands.ts'
import type { AddressedEvent } from './events.ts'
import type { ChubbyQuery } from './queries.ts'
import type { FileContents, Problem, QueryReply } from './replies.ts'

export interface SessionView {
  readonly id: bigint
  readonly principal: string
  /** Milliseconds. */
  readonly lease: number
}

export interface ChubbyView {
  session(id: bigint): SessionView | undefined
  /** All of them, in the order of their creation. */
  sessions(): Iterable<SessionView>
  /** Log time as of what was applied last. */
  readonly time: LogTime
  /** Milliseconds from `time` to the end of the first lock-delay that somebody waits for, at least 0; undefined: there is none. */
  nextLift(): number | undefined
  /**
   * Every path whose cached answer the command might change if it goes into the log now, whatever is applied before it: all that may be created, written, deleted, or come to be read by
   * others. `'all'`: it might be any (an access control list).
   * @param isChanging whether a command that may change this path is on its way into the log.
   */
  touches(command: ChubbyCommand, isChanging: (path: string) => boolean): readonly string[] | 'all'
  /** As this principal may read it; undefined: there is no such node. */
  file(path: string, principal: string): FileContents | Problem | undefined
  answer(query: ChubbyQuery, principal: string): QueryReply
  /** What happened since the last call, in order; nothing before the first. Who stops asking says so by `ignoreEvents`. */
  takeEvents(): readonly AddressedEvent[]
  /** Events are no longer kept until `takeEvents` is called again. */
  ignoreEvents(): void
}
