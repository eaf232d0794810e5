/** What every engine meets when it is measured: the same network, disks, processes and clients. */
import { defaultLimits, lanTiming } from '@conclave/replica'
import type { Scale } from '../limits.ts'
import type { NodeTraits, Plan, Weather } from '../plan.ts'

export interface Setting {
  /** Founders: 3 to 9. */
  readonly nodes: number
  /** Mean one-way delay of a message, between nodes and between clients and nodes. */
  readonly latencyMillis: number
  /** Probability that a message from node to node is lost. Those of clients never are. */
  readonly loss: number
  /** Clients of the loaded cluster, each with one write under way. */
  readonly clients: number
  /** Size of each value that is written. */
  readonly valueBytes: number
}

/** So many milliseconds, or so many one-way delays, whichever is longer. */
export const longEnough = ({ latencyMillis }: Pick<Setting, 'latencyMillis'>, millis: number, delays: number): number =>
  Math.max(millis, delays * latencyMillis)

/** A delay lies within this part of the mean, on either side. */
export const jitter = 0.2
/** The mean time that a write to the journal and its sync take together; each time uniform about it. */
export const syncMillis = 0.25
/** The longest that a process collects inputs before a turn; each time a random part of it. */
export const turnMillis = 0.1

/** As in production: the profile `lan`, and the limits of a replica that says nothing. Segments are smaller, which changes nothing of what is counted. */
export const fullScale = (segmentBytes = 1 << 20): Scale => ({ timing: lanTiming, limits: {}, segmentBytes })

/** `exact`: every message takes the mean, and nothing else takes any time, so that time counts messages. */
export type WorldKind = 'real' | 'exact'

const traitsOf = (kind: WorldKind): NodeTraits => ({
  clockRate: 1,
  upgradeAtLife: 1,
  persistedMillis: 0,
  drainMillis: kind === 'exact' ? 0 : turnMillis,
  diskMillis: kind === 'exact' ? 0 : syncMillis,
})

const weatherOf = ({ latencyMillis, loss }: Setting, kind: WorldKind): Weather => ({
  drop: kind === 'exact' ? 0 : loss,
  duplicate: 0,
  reorder: 0,
  delay:
    kind === 'exact'
      ? { least: latencyMillis, most: latencyMillis }
      : { least: latencyMillis * (1 - jitter), most: latencyMillis * (1 + jitter) },
})

/** Nodes that may join later: one for each that an operator adds, or that replaces a lost one. */
const spares = 1

/** A plan in which nothing goes wrong by itself. */
export const calmPlan = (setting: Setting, seed: number, kind: WorldKind): Plan => ({
  version: 1,
  seed,
  nodes: setting.nodes,
  clients: 0,
  operationsEach: 1,
  leases: false,
  messageBytes: defaultLimits.messageBytes,
  weather: weatherOf(setting, kind),
  traits: Array.from({ length: setting.nodes + spares }, () => traitsOf(kind)),
  faults: [],
  chaosMillis: 1,
  broken: { nodes: [], links: [] },
  patienceMillis: 1,
})
