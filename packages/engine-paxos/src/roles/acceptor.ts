import type { NodeId } from '@conclave/interface'
import { compareBallots } from '../ballot.ts'
import { learnWatermark } from '../delivery.ts'
import { mayLead, startCanvass } from '../election.ts'
import type { MessageOf, Range } from '../messages.ts'
import type { PaxosState } from '../state.ts'
import { electionTicks } from './follow.ts'
import type { AcceptorRole } from './role.ts'

export const tickAcceptor = (paxos: PaxosState, role: AcceptorRole): void => {
  role.electionIn--
  if (role.electionIn > 0) return
  if (mayLead(paxos)) startCanvass(paxos)
  else role.electionIn = electionTicks(paxos)
}

/** So far above the watermark a slot is accepted; a leader has far fewer in flight, and a laggard is brought up first. */
const mostAhead = 1 << 17

/**
 * Phase 2b (Paxos Made Simple, section 2.2): the gate has made sure that no higher ballot is promised, and that this one is. Slots are accepted in
 * any order, and delivered in theirs. The answer waits for the disk, also that to a duplicate, whose first write may still be in flight.
 */
export const acceptSlots = (paxos: PaxosState, from: NodeId, message: MessageOf<'accept'>): void => {
  const accepted: number[] = []
  for (const { slot, value } of message.slots) {
    if (slot > paxos.decided + mostAhead) break
    accepted.push(slot)
    if (slot <= paxos.decided) continue
    const held = paxos.log.get(slot)
    if (held === undefined || compareBallots(held.ballot, message.ballot) < 0) paxos.accept(slot, value)
  }
  const { number } = paxos.configuration
  learnWatermark(paxos, message.decided)
  if (paxos.configuration.number !== number) return // the leader is there already, and prepares anew
  const slots = ranges(accepted)
  paxos.sendDurable(from, { type: 'accepted', sequence: message.sequence, reached: paxos.reached, slots })
}

const ranges = (slots: readonly number[]): Range[] => {
  const result: { from: number; count: number }[] = []
  for (const slot of slots) {
    const last = result.at(-1)
    if (last !== undefined && last.from + last.count === slot) last.count++
    else result.push({ from: slot, count: 1 })
  }
  return result
}

export const acceptHeartbeat = (paxos: PaxosState, from: NodeId, message: MessageOf<'heartbeat'>): void => {
  const { number } = paxos.configuration
  learnWatermark(paxos, message.decided)
  if (paxos.configuration.number !== number) return
  const reply = { type: 'heartbeatReply', round: message.round, pledged: message.lease } as const
  if (!message.lease || paxos.pledgeTo(from)) paxos.sendEarly(from, reply)
  else paxos.sendDurable(from, reply)
}
