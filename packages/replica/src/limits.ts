import { assert, type EngineLimits, type Timing } from '@conclave/interface'

const KiB = 1024
const MiB = 1024 * KiB

/** Every bound of a replica, in bytes unless it says otherwise. What happens at the bound stands with each. */
export interface ReplicaLimits extends EngineLimits {
  /** Largest block that `submit` takes; a larger one is refused as `invalid`. */
  readonly requestBytes: number
  /** Largest batch: what a turn brings beyond it goes into further entries. At most `messageBytes` less 4 KiB for the engine's own header. */
  readonly entryBytes: number
  /** Submitted blocks that no turn has taken yet; beyond it: `overloaded`. */
  readonly queuedBytes: number
  /** Number of reads that wait for their round or their position; beyond it: `overloaded`. */
  readonly waitingReads: number
  /** Messages of peers that no turn has taken yet; beyond it they are dropped, as a network would. */
  readonly inboxBytes: number
  /** Messages that wait for a write to become durable; beyond it they are dropped, and the engine is told `lost`. */
  readonly heldBytes: number
  /** Writes that are not durable yet; beyond it proposals are `overloaded` and large messages of peers are dropped. */
  readonly unwrittenBytes: number
  /** Decided batches that are not applied yet (while a snapshot is restored); beyond it the same. */
  readonly backlogBytes: number
  /** Batches applied in one turn, so that a long catch-up leaves the loop free in between. At least one is. */
  readonly turnBytes: number
  /** Applied batches after which the state is captured, and the log below it given up. */
  readonly snapshotBytes: number
}

export const defaultLimits: ReplicaLimits = {
  requestBytes: 1.5 * MiB,
  entryBytes: 3 * MiB,
  queuedBytes: 64 * MiB,
  waitingReads: 65_536,
  inboxBytes: 64 * MiB,
  heldBytes: 16 * MiB,
  unwrittenBytes: 64 * MiB,
  backlogBytes: 64 * MiB,
  turnBytes: 4 * MiB,
  snapshotBytes: 64 * MiB,
  messageBytes: 4 * MiB - 4 * KiB,
  inflightBytes: 8 * MiB,
  undecidedBytes: 64 * MiB,
  tailBytes: 16 * MiB,
}

/** The profile `lan`: a heartbeat each 50 ms, an election after 300 to 600 ms without one. */
export const lanTiming: Timing = { heartbeatTicks: 5, electionTicks: 30, tickMillis: 10 }

/** What a batch adds to a single block: its own header and the block's length. */
const batchOverhead = 17

/** The defaults with `given` in their place. @throws AssertionFailed if they contradict each other. */
export const resolveLimits = (given: Partial<ReplicaLimits> = {}): ReplicaLimits => {
  const limits = { ...defaultLimits, ...given }
  for (const [name, value] of Object.entries(limits)) {
    const least = name === 'tailBytes' ? 0 : 1
    assert(
      Number.isSafeInteger(value) && value >= least,
      `limits.${name} must be a safe integer of at least ${least}, got ${value}`,
    )
  }
  assert(
    limits.requestBytes + batchOverhead <= limits.entryBytes,
    'limits.entryBytes must hold one request of limits.requestBytes',
  )
  assert(
    limits.entryBytes + 4 * KiB <= limits.messageBytes,
    'limits.messageBytes must hold one entry of limits.entryBytes and 4 KiB',
  )
  return limits
}
