import { assert, type NodeId } from '@conclave/interface'
import { voteResult } from '@conclave/quorum'
import { advance } from './delivery.ts'
import { type Filled, type MessageOf, slotOverhead, slotsHeadBytes } from './messages.ts'
import {
  hasSlot,
  hasUpTo,
  lacks,
  lacksOlder,
  type Progress,
  probeAnswered,
  rewind,
  sent,
  startOver,
} from './progress.ts'
import type { LeaderRole } from './roles/role.ts'
import { sendSnapshotTo } from './snapshot.ts'
import type { PaxosState } from './state.ts'
import { type Value, valueKind } from './value.ts'

/** Slots proposed and not yet delivered; beyond it proposals are refused. */
export const mostSlotsInFlight = 1 << 16

/** Phase 2a for the next slot: the own acceptor accepts first, and counts once that is durable. The others get it with the next `replicate`. */
export const proposeValue = (paxos: PaxosState, role: LeaderRole, value: Value): number => {
  assert(!role.stopped, 'nothing is proposed beyond a stop-sign')
  const slot = role.next++
  role.unsynced.push({ write: paxos.out.nextWrite, slot })
  role.tally.set(slot, { votes: new Set(), chosen: false })
  paxos.accept(slot, value)
  if (value.kind === valueKind.stop) role.stopped = true
  return slot
}

/** Writes up to `write` are durable: what they hold is accepted here. */
export const ownAcceptancesPersisted = (paxos: PaxosState, role: LeaderRole, write: number): void => {
  let done = 0
  for (const unsynced of role.unsynced) {
    if (unsynced.write > write) break
    vote(paxos, role, paxos.self, unsynced.slot)
    done++
  }
  role.unsynced.splice(0, done)
  advanceDecided(paxos, role)
}

/** One acceptor has accepted the value of this ballot for a slot; a quorum of them chooses it. */
const vote = (paxos: PaxosState, role: LeaderRole, from: NodeId, slot: number): void => {
  const tally = role.tally.get(slot)
  if (tally === undefined || tally.chosen) return
  tally.votes.add(from)
  tally.chosen = voteResult(paxos.quorums.phase2, (id) => tally.votes.has(id) || undefined) === 'won'
}

/** Slots are chosen in any order, and delivered in theirs. */
export const advanceDecided = (paxos: PaxosState, role: LeaderRole): void =>
  advance(paxos, (slot) => role.tally.get(slot)?.chosen === true)

// ---- feeding the peers --------------------------------------------------------------------------------------------------------------------

/** Sends every peer what it lacks, as far as its window allows. Called once a drain, so that the proposals of a turn share one message. */
export const replicate = (paxos: PaxosState, role: LeaderRole): void => {
  for (const [id, progress] of role.progress) feed(paxos, role, id, progress)
}

const feed = (paxos: PaxosState, role: LeaderRole, id: NodeId, progress: Progress): void => {
  if (progress.state !== 'stream') return
  while (progress.next < role.next) {
    if (!lacks(progress, progress.next)) {
      progress.next++
      continue
    }
    if (progress.next <= paxos.log.base) return sendSnapshotTo(paxos, id, progress)
    if (progress.inflight.size > 0 && progress.inflightBytes >= paxos.limits.inflightBytes) return
    sendSlots(paxos, role, id, progress)
  }
}

/**
 * One message: decided slots as `learn`, since the peer may have accepted something else for them in an older ballot; the others as `accept`. At least
 * one slot, and no more than fit.
 */
const sendSlots = (paxos: PaxosState, role: LeaderRole, id: NodeId, progress: Progress): void => {
  const decided = progress.next <= paxos.decided
  const end = decided ? paxos.decided + 1 : role.next
  const slots: Filled[] = []
  let bytes = slotsHeadBytes
  progress.sequence++
  for (; progress.next < end; progress.next++) {
    if (!lacks(progress, progress.next)) {
      if (decided) break // learned slots are taken in one piece
      continue
    }
    const { value } = paxos.log.at(progress.next)
    const size = slotOverhead + value.size
    if (slots.length > 0 && bytes + size > paxos.limits.messageBytes) break
    bytes += size
    slots.push({ slot: progress.next, value })
    sent(progress, progress.next, size)
  }
  if (decided) paxos.sendEarly(id, { type: 'learn', slots })
  else paxos.sendEarly(id, { type: 'accept', sequence: progress.sequence, slots })
  progress.told = paxos.decided
}

/**
 * Asks a peer that has not answered for a while how far it has come, by an accept without slots. What was sent before it, and is not there when the
 * answer comes, is sent again. A peer that is only slow, or hangs, costs a few bytes.
 */
export const probe = (paxos: PaxosState, id: NodeId, progress: Progress): void => {
  progress.sequence++
  progress.probe = progress.sequence
  paxos.sendEarly(id, { type: 'accept', sequence: progress.sequence, slots: [] })
}

/** Phase 2b at the proposer. */
export const receiveAccepted = (
  paxos: PaxosState,
  role: LeaderRole,
  from: NodeId,
  message: MessageOf<'accepted'>,
): void => {
  const progress = role.progress.get(from)
  if (progress === undefined || message.reached >= role.next) return // nobody can accept what was not proposed
  progress.silentTicks = 0
  for (let slot = Math.max(progress.reached, paxos.decided) + 1; slot <= message.reached; slot++)
    vote(paxos, role, from, slot)
  for (const range of message.slots) {
    const end = Math.min(range.from + range.count, role.next)
    for (let slot = Math.max(range.from, progress.reached + 1); slot < end; slot++) {
      hasSlot(progress, slot)
      vote(paxos, role, from, slot)
    }
  }
  noteWatermark(paxos, progress, message.decided, message.reached)
  if (message.slots.length === 0 && message.sequence <= progress.sequence) probeAnswered(progress, message.sequence)
  advanceDecided(paxos, role)
}

/** The peer tells how far it has come. */
export const noteWatermark = (paxos: PaxosState, progress: Progress, decided: number, reached = decided): void => {
  progress.delivered = Math.max(progress.delivered, Math.min(decided, paxos.decided))
  hasUpTo(progress, reached)
  if (progress.keep <= progress.delivered)
    progress.keep = progress.delivered < paxos.decided ? progress.delivered : Number.POSITIVE_INFINITY
  if (progress.state === 'snapshot' && progress.delivered >= Math.min(progress.snapshot, paxos.log.base))
    progress.state = 'stream'
  if (lacksOlder(progress)) rewind(progress)
}

/**
 * A peer answers heartbeats with its watermark. One that stands still below what it was told long ago lacks what is taken for its own: it was restarted, and
 * its watermark fell, or it holds values of an older ballot.
 */
export const watchWatermark = (progress: Progress, decided: number): void => {
  const still = decided === progress.answered && progress.state === 'stream'
  progress.answered = decided
  if (!still) return
  if (decided < Math.min(progress.told, progress.reached)) startOver(progress, decided)
  else if (lacksOlder(progress)) rewind(progress)
}
