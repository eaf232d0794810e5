import type { Workload } from './workload.ts'

/** What a simulation gives: a JSON value. The same workload, seed and strategies give the same, byte for byte. */
export interface SimulationResult {
  readonly version: 1
  readonly workload: Workload
  readonly seed: number
  /** Requests of the trace. */
  readonly requests: number
  readonly strategies: Readonly<Record<string, StrategyFigures>>
}

export interface StrategyFigures {
  /** Requests that ended in an error: of a server, of a full queue, or since nobody was picked. */
  readonly errors: number
  /** Of requests that did not; null if all did. From arrival to end, waiting included. */
  readonly latencyMillis: LatencyFigures | null
  /**
   * The load of the fullest server divided by the mean of all: 1 is perfectly even. A load is the requests at a server, waiting or worked on, for
   * each one that it can work on at a time, on average over the whole time. 1 if there was no load at all.
   */
  readonly imbalance: number
  /** For strategies that go by keys, if candidates changed. */
  readonly disruption: DisruptionFigures | null
  readonly servers: readonly ServerFigures[]
  /** Slices of equal length, by when requests arrived. */
  readonly series: readonly SliceFigures[]
}

/** Percentiles by nearest rank. */
export interface LatencyFigures {
  readonly mean: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly most: number
}

/** Means over all changes of the candidates, of a balancer with nothing under way. */
export interface DisruptionFigures {
  readonly changes: number
  /** The part of the keys that had another candidate afterwards. */
  readonly moved: number
  /** The part that had to: keys of those that left, and the share of those that came. */
  readonly needed: number
}

export interface ServerFigures {
  readonly id: string
  readonly requests: number
  readonly errors: number
  /** As for the imbalance, while it was a candidate. */
  readonly load: number
}

export interface SliceFigures {
  readonly fromMillis: number
  readonly requests: number
  readonly errors: number
  /** Null if no request of the slice ended well. */
  readonly p50: number | null
  readonly p99: number | null
  /** As for the whole, over the servers that were there at its end. */
  readonly imbalance: number
}
