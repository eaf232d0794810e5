import { type Peer, position } from '@conclave/interface'
import { voteResult } from '@conclave/quorum'
import { noBallot } from './ballot.ts'
import { isVoter } from './configuration.ts'
import { prepare } from './election.ts'
import { help } from './help.ts'
import { broadcastHeartbeat } from './reads.ts'
import { becomeAcceptor, shortJitter } from './roles/follow.ts'
import { endTenure } from './roles/leave.ts'
import type { Farewell, LeaderRole } from './roles/role.ts'
import type { PaxosState } from './state.ts'

/*
 * A stop-sign was delivered: its configuration takes over. In it nobody has promised or accepted anything, so whoever leads there begins with phase 1. The
 * leader of the configuration that ended goes on with its ballot, if it is a voter still: proposals wait for one round trip.
 *
 * How new members learn history: a node that hears of a configuration that it does not know says how far it has come, and is sent what is decided, or a
 * snapshot; a promise in the new configuration so implies everything before it. A change is settled only when a quorum of the new configuration has
 * promised there, or has told a leader that leaves that it knows: then the members of the old one may be switched off.
 */

/** Enters the configuration that a stop-sign has named, if one was delivered. */
export const enterNext = (paxos: PaxosState): void => {
  const next = paxos.ended
  if (next === undefined) return
  paxos.ended = undefined
  const { role } = paxos
  if (role.type === 'leader') return succeed(paxos, role, next)
  paxos.enterConfiguration(next)
  if (role.type !== 'acceptor') becomeAcceptor(paxos)
  if (paxos.leader !== undefined && !isVoter(next, paxos.leader)) forgetLeader(paxos)
}

/** The leader has left: whoever canvasses first leads. */
const forgetLeader = (paxos: PaxosState): void => {
  paxos.leader = undefined
  becomeAcceptor(paxos, shortJitter(paxos))
}

const succeed = (paxos: PaxosState, role: LeaderRole, next: NonNullable<PaxosState['ended']>): void => {
  broadcastHeartbeat(paxos, role) // the last word in this configuration: it is decided up to its stop-sign
  const { tenure } = role
  const reads = role.readRounds.flatMap((round) => round.reads)
  const stays = isVoter(next, paxos.self)
  const before = paxos.configuration.membership.members
  const gone = before.filter(({ id }) => id !== paxos.self && !next.membership.members.some((m) => m.id === id))
  const owed = paxos.farewell === undefined ? [] : untold(paxos.farewell)
  const staying = stays ? [] : next.membership.members.filter(({ id }) => id !== paxos.self)
  const change = stays ? undefined : tenure.change
  if (!stays) tenure.change = undefined
  paxos.farewell = {
    change,
    slot: paxos.decided,
    listeners: [...owed, ...gone, ...staying],
    told: new Map(paxos.farewell?.told),
    ticksLeft: farewellTicks(paxos),
  }
  paxos.enterConfiguration(next)
  if (stays) {
    tenure.readsWaiting.push(...reads.map(({ id }) => id))
    prepare(paxos, role.ballot, { given: noBallot, tenure })
    return
  }
  endTenure(paxos, tenure, reads)
  paxos.leader = undefined
  paxos.role = { type: 'acceptor', electionIn: paxos.timing.electionTicks }
}

/** So long somebody who does not answer is told how its configuration ended. */
const farewellTicks = ({ timing }: PaxosState): number => timing.electionTicks * 10

export const tickFarewell = (paxos: PaxosState): void => {
  const { farewell } = paxos
  if (farewell === undefined) return
  farewell.ticksLeft--
  const waiting = untold(farewell)
  const over = farewell.ticksLeft <= 0 || waiting.length === 0
  if (over || isKnown(paxos, farewell)) settleChange(paxos, farewell)
  if (over) {
    paxos.farewell = undefined
    paxos.out.peers = paxos.peers()
  } else if (farewell.ticksLeft % paxos.timing.heartbeatTicks === 0)
    for (const { id } of waiting) help(paxos, id, farewell.told.get(id) ?? farewell.slot - 1)
}

const untold = ({ listeners, told, slot }: Farewell): readonly Peer[] =>
  listeners.filter(({ id }) => (told.get(id) ?? 0) < slot)

/** Whether enough of the new members know to elect a leader without anybody who left. */
const isKnown = (paxos: PaxosState, { told, slot }: Farewell): boolean =>
  voteResult(paxos.quorums.phase1, (id) => (told.get(id) ?? 0) >= slot || undefined) === 'won'

const settleChange = (paxos: PaxosState, farewell: Farewell): void => {
  const { change } = farewell
  if (change === undefined) return
  paxos.farewell = { ...farewell, change: undefined }
  if (change.id !== undefined) paxos.out.settle(change.id, { type: 'decided', position: position(change.slot) })
}
