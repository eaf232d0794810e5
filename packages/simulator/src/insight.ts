/** What the simulator cannot know of an engine from its contract: entries, roles and rare states in the engine's own words. */
import type { EngineFactory, Status } from '@conclave/interface'
import type { MarkSet } from './marks.ts'

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
