import type { NodeId } from '@conclave/interface'
import type { PaxosState } from '../state.ts'
import { leaveRole } from './leave.ts'
import type { AcceptorRole } from './role.ts'

/** Proposes nothing any more, and waits for a leader. */
export const becomeAcceptor = (paxos: PaxosState, electionIn = electionTicks(paxos)): void => {
  leaveRole(paxos)
  if (paxos.leader === paxos.self) paxos.leader = undefined
  paxos.role = { type: 'acceptor', electionIn }
}

/**
 * A fresh election time-out, uniform in [electionTicks, 2 × electionTicks). After a reset of the leader's link everybody canvasses at once, so a
 * duel is settled sooner, in [¼, ¾) of electionTicks; nobody who is settled with a leader is disturbed by it.
 */
export const electionTicks = ({ timing, random, leaderGone }: PaxosState): number => {
  const least = leaderGone ? Math.max(1, Math.floor(timing.electionTicks / 4)) : timing.electionTicks
  return least + Math.floor(random.next() * (leaderGone ? least * 2 : least))
}

/** Another proposer was faster. Random, and longer each time, so that one of two proposers gets through (Part-Time Parliament, section 2.4). */
export const backOff = (paxos: PaxosState): number => {
  const { timing, random, duels } = paxos
  paxos.duels = Math.min(duels + 1, 4)
  const most = Math.max(2, Math.floor((timing.electionTicks / 4) * 2 ** duels))
  return 1 + Math.floor(random.next() * most)
}

/** The leader of the ballot that is promised here speaks. */
export const heardLeader = (paxos: PaxosState, from: NodeId): void => {
  paxos.sinceLeader = 0
  paxos.leaderGone = false
  paxos.duels = 0
  paxos.leader = from
  if (paxos.role.type === 'acceptor') paxos.role.electionIn = electionTicks(paxos)
  else becomeAcceptor(paxos)
}

/** The leader crashed, or cut us off: forget that it was heard, and canvass after a short jitter. If it lives, its next heartbeat ends that. */
export const leaderLinkDown = (paxos: PaxosState, role: AcceptorRole): void => {
  paxos.leaderGone = true
  role.electionIn = Math.min(role.electionIn, shortJitter(paxos))
}

export const shortJitter = ({ random }: PaxosState): number => 1 + Math.floor(random.next() * 8)
