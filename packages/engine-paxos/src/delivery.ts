import { assert, position } from '@conclave/interface'
import { sameBallot } from './ballot.ts'
import type { LeaderRole } from './roles/role.ts'
import type { PaxosState } from './state.ts'
import type { Accepted } from './value.ts'

/**
 * Delivers from the first undecided slot on, in order, as long as `chosen` says that what is held there is what was chosen. Stops at a stop-sign, which
 * ends the configuration: `paxos.ended` is then to be dealt with before anything else is delivered.
 */
export const advance = (paxos: PaxosState, chosen: (slot: number, accepted: Accepted) => boolean): void => {
  while (paxos.ended === undefined) {
    const slot = paxos.decided + 1
    const accepted = paxos.log.get(slot)
    if (accepted === undefined || !chosen(slot, accepted)) return
    paxos.ended = paxos.deliver()
    if (paxos.role.type === 'leader') settleDelivered(paxos, paxos.role, slot)
  }
}

/** Tells who proposed what was just delivered. */
const settleDelivered = (paxos: PaxosState, { tenure, tally }: LeaderRole, slot: number): void => {
  tally.delete(slot)
  const first = tenure.proposals[0]
  if (first?.slot !== slot) return
  assert(sameBallot(paxos.reign, tenure.ballot), `slot ${slot} holds a proposal of a reign that has not begun`)
  tenure.proposals.shift()
  tenure.undecidedBytes -= first.size
  paxos.out.settle(first.id, { type: 'decided', position: position(slot) })
}

/**
 * Every slot up to `decided` is, says a node that has promised the ballot that is promised here. What was accepted in this very ballot is then what was
 * chosen: one ballot proposes one value for a slot. What was accepted in an older one may be another value; it is learned.
 */
export const learnWatermark = (paxos: PaxosState, decided: number): void =>
  advance(paxos, (slot, accepted) => slot <= decided && sameBallot(accepted.ballot, paxos.promised))
