import type { EngineFactory, Timing } from '@conclave/interface'
import type { ReplicaLimits } from '@conclave/replica'

/** How fast and how large everything in a world is. */
export interface Scale {
  readonly timing: Timing
  readonly limits: Partial<ReplicaLimits>
  readonly segmentBytes: number
}

/** Fast, so that a short run sees many elections. */
const timing: Timing = { heartbeatTicks: 2, electionTicks: 8, tickMillis: 10 }

/** Room for the largest block that a client of a world sends, and for a configuration of all its nodes. */
export const leastMessageBytes = 640
export const mostMessageBytes = 8_192

/** Small, so that short worlds see several snapshots, several segments, and peers that fell behind the tail. */
const limitsOf = (messageBytes: number): Partial<ReplicaLimits> => {
  const entryBytes = Math.min(3_072, messageBytes - 96)
  return {
    requestBytes: Math.min(2_048, entryBytes - 32),
    entryBytes,
    messageBytes: mostMessageBytes,
    inflightBytes: 4_096,
    undecidedBytes: 16_384,
    tailBytes: 1_024,
    snapshotBytes: 1_500,
  }
}

/** Everything fast and small: what a campaign runs in. */
export const smallScale = (messageBytes: number): Scale => ({
  timing,
  limits: limitsOf(messageBytes),
  segmentBytes: 8_192,
})

/** An engine whose messages are no larger than that; it still gets entries that fit. */
export const withMessagesOf = (messageBytes: number, factory: EngineFactory): EngineFactory => ({
  ...factory,
  create: (init) => factory.create({ ...init, limits: { ...init.limits, messageBytes } }),
})
