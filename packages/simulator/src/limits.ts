import type { Timing } from '@conclave/interface'
import type { ReplicaLimits } from '@conclave/replica'

/** Fast, so that a short run sees many elections. */
export const timing: Timing = { heartbeatTicks: 2, electionTicks: 8, tickMillis: 10 }

/** Small, so that short worlds see several snapshots, several segments, and peers that fell behind the tail. */
export const limits: Partial<ReplicaLimits> = {
  requestBytes: 2_048,
  entryBytes: 3_072,
  messageBytes: 8_192,
  inflightBytes: 4_096,
  undecidedBytes: 16_384,
  tailBytes: 1_024,
  snapshotBytes: 1_500,
}

export const segmentBytes = 8_192
