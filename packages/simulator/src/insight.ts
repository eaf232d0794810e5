/** What the simulator cannot know of an engine from its contract: entries, roles and rare states in the engine's own words. */
import { ConclaveError, type EngineFactory, type Status } from '@conclave/interface'
import type { MarkSet } from './marks.ts'

/** What an engine's module exports as its `insight` is none. */
export class InvalidInsight extends ConclaveError {
  override readonly name = 'InvalidInsight'
  readonly code = 'invalid-insight'
  readonly definite = true
}

export interface EngineInsight {
  /** `EngineFactory.name`. */
  readonly engine: EngineFactory['name']
  /**
   * The reign under which an entry of the journal was made. For engines whose logs are the same, byte by byte, wherever they hold the same entry, as
   * Raft's are: with it log matching, leader completeness and what is durable can be judged.
   */
  entryEpoch?(entry: Uint8Array): bigint | undefined
  /** Whether this node stands for election right now. */
  standing?(status: Status): boolean
  /** Marks of all engines that no campaign has to reach with this one, and why: they count as out of reach. */
  readonly exempt?: ReadonlyMap<string, string>
  /** Rare states of this engine that a campaign has to reach. */
  readonly marks: MarkSet
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

const isMarkSet = (value: unknown): boolean =>
  isObject(value) &&
  typeof value.watch === 'function' &&
  Array.isArray(value.marks) &&
  value.marks.every((mark) => isObject(mark) && typeof mark.name === 'string')

const problemOf = (value: unknown, engine: string): string | undefined => {
  if (!isObject(value)) return 'is no object'
  if (value.engine !== engine) return `is about the engine ${JSON.stringify(value.engine)}`
  if (!isMarkSet(value.marks)) return 'lacks `marks`, a MarkSet: { marks, watch }'
  const wrong = ['entryEpoch', 'standing'].find((name) => !['function', 'undefined'].includes(typeof value[name]))
  if (wrong !== undefined) return `has a \`${wrong}\` that is no function`
  return value.exempt === undefined || value.exempt instanceof Map ? undefined : 'has an `exempt` that is no Map'
}

/** Checks what came with an engine from elsewhere. @throws InvalidInsight */
export const insightFrom = (value: unknown, engine: string): EngineInsight => {
  const problem = problemOf(value, engine)
  if (problem === undefined) return value as EngineInsight
  throw new InvalidInsight(
    `the insight that comes with the engine "${engine}" ${problem}: it has to be an EngineInsight.`,
  )
}
