import type { SnapshotId } from '@conclave/interface'

/**
 * What one peer is known to have of the slots of this ballot, and how it is fed: `stream` sends what it lacks as far as its window allows; `probe`
 * sends nothing until the peer has answered; `snapshot` waits for a transfer.
 */
export interface Progress {
  state: 'stream' | 'probe' | 'snapshot'
  /** The peer has delivered every slot up to here. */
  delivered: number
  /** It has delivered, or accepted in this ballot, every slot up to here. */
  reached: number
  /** Slots above `reached` that it has accepted in this ballot: acceptance comes in any order. */
  readonly accepted: Set<number>
  /** The first slot that was not sent yet; what lies below is accepted, in flight, or sent again. */
  next: number
  /** The lowest slot that `next` ever stood at: below it nothing was sent. */
  floor: number
  /** Slots sent and not yet answered. */
  readonly inflight: Map<number, { readonly bytes: number; readonly sequence: number }>
  inflightBytes: number
  /** Numbers the messages to this peer that it answers. */
  sequence: number
  /** The message without slots that asked last how far the peer has come; 0 if it was answered. */
  probe: number
  /** Ticks since the peer last moved on while something was in flight. */
  stalledTicks: number
  /** Position and id of the snapshot that is being sent, or was sent last. */
  snapshot: number
  transfer: SnapshotId | undefined
  /** Slots above this one stay in memory for the peer, which catches up by a snapshot; infinite if it does not. */
  keep: number
  /** Ticks before another snapshot is asked for or sent. */
  snapshotIn: number
  /** Ticks since it was heard. */
  silentTicks: number
  /** The newest read round that the peer answered. */
  round: number
  /** The newest round for which it made a pledge. */
  pledged: number
  /** The watermark that the peer was last told, and the one that it last answered a heartbeat with. */
  told: number
  answered: number
}

/** @param delivered what the peer is known to have delivered. @param next the slot at which feeding begins. */
export const startProgress = (delivered: number, next: number): Progress => ({
  state: 'stream',
  delivered,
  reached: delivered,
  accepted: new Set(),
  next,
  floor: next,
  inflight: new Map(),
  inflightBytes: 0,
  sequence: 0,
  probe: 0,
  stalledTicks: 0,
  snapshot: 0,
  transfer: undefined,
  keep: Number.POSITIVE_INFINITY,
  snapshotIn: 0,
  silentTicks: 0,
  round: 0,
  pledged: 0,
  told: 0,
  answered: 0,
})

export const sent = (progress: Progress, slot: number, bytes: number): void => {
  progress.inflight.set(slot, { bytes, sequence: progress.sequence })
  progress.inflightBytes += bytes
}

const answered = (progress: Progress, slot: number): void => {
  const flying = progress.inflight.get(slot)
  if (flying === undefined) return
  const [oldest] = progress.inflight.keys()
  progress.inflight.delete(slot)
  progress.inflightBytes -= flying.bytes
  // Answers to later slots say nothing of one that is lost: under steady traffic it would never be asked for.
  if (slot === oldest) progress.stalledTicks = 0
}

/** The peer has this slot. */
export const hasSlot = (progress: Progress, slot: number): void => {
  if (slot <= progress.reached) return
  progress.accepted.add(slot)
  answered(progress, slot)
}

/** The peer has everything up to `reached`. */
export const hasUpTo = (progress: Progress, reached: number): void => {
  if (reached <= progress.reached) return
  progress.reached = reached
  for (const slot of progress.accepted) if (slot <= reached) progress.accepted.delete(slot)
  for (const slot of progress.inflight.keys()) if (slot <= reached) answered(progress, slot)
  progress.next = Math.max(progress.next, reached + 1)
  progress.floor = Math.max(progress.floor, reached + 1)
}

/** The peer lacks slots below the first that it was ever sent. */
export const lacksOlder = (progress: Progress): boolean => progress.reached + 1 < progress.floor

/** Sends again what is neither accepted nor in flight, from the first slot that the peer lacks. */
export const rewind = (progress: Progress): void => {
  progress.next = progress.reached + 1
  progress.floor = progress.next
}

/** What was sent up to message `sequence` and is not there was lost. */
const lostUpTo = (progress: Progress, sequence: number): void => {
  for (const [slot, flying] of progress.inflight) {
    if (flying.sequence > sequence) continue
    progress.inflight.delete(slot)
    progress.inflightBytes -= flying.bytes
  }
  progress.stalledTicks = 0
  rewind(progress)
}

/** The peer has answered a probe: what it was sent before, and does not have, is lost. */
export const probeAnswered = (progress: Progress, sequence: number): void => {
  lostUpTo(progress, sequence)
  if (sequence < progress.probe) return
  progress.probe = 0
  if (progress.state === 'probe') progress.state = 'stream'
}

/** The peer has forgotten how far it was (it was restarted): begin anew where it says that it stands. */
export const startOver = (progress: Progress, delivered: number): void => {
  progress.delivered = delivered
  progress.reached = delivered
  progress.accepted.clear()
  progress.inflight.clear()
  progress.inflightBytes = 0
  progress.stalledTicks = 0
  rewind(progress)
}

/** Whether the slot must still be sent. */
export const lacks = (progress: Progress, slot: number): boolean =>
  slot > progress.reached && !progress.accepted.has(slot) && !progress.inflight.has(slot)
