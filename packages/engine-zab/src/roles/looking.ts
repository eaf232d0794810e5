import type { NodeId } from '@conclave/interface'
import { votersOf } from '@conclave/quorum'
import type { PeerState, Vote } from '../messages.ts'
import type { ZabState } from '../state.ts'
import { leaveRole } from './leave.ts'
import type { LookingRole } from './role.ts'

/** A voter may lead, unless its disk has no room for its own promise, or has not answered the last one. */
export const mayLead = (zab: ZabState): boolean => zab.isVoter && zab.disk !== 'full' && zab.durable >= zab.stalledOn

export const ownVote = (zab: ZabState): Vote | undefined => {
  if (!mayLead(zab)) return undefined
  const vote = { leader: zab.self, epoch: zab.currentEpoch, zxid: zab.history.lastZxid }
  return votersOf(zab.quorum).includes(zab.self) ? vote : { ...vote, leaving: true }
}

/** Looks for a leader, in a round of its own; who is found is judged when the others answer, or with the next tick. */
export const becomeLooking = (zab: ZabState): void => {
  leaveRole(zab)
  zab.round++
  zab.role = lookingRole(zab)
  notifyAll(zab)
}

/** The role in which a node starts; `begin` then tells the others. */
export const lookingRole = (zab: ZabState): LookingRole => ({
  type: 'LOOKING',
  vote: ownVote(zab),
  votes: new Map(),
  finalIn: undefined,
  notifyIn: zab.notifyTicks,
})

export const notifyAll = (zab: ZabState): void => {
  for (const { id } of zab.peers()) notify(zab, id)
}

/** Tells where this node stands: what it votes for, or whom it follows. */
export const notify = (zab: ZabState, to: NodeId): void => {
  const { role, round, acceptedEpoch: epoch } = zab
  zab.sendEarly(to, { type: 'notification', epoch, round, state: role.type, vote: voteOf(zab) })
}

const voteOf = (zab: ZabState): Vote | undefined => {
  const { role, currentEpoch: epoch } = zab
  if (role.type === 'LOOKING') return role.vote
  const leader = role.type === 'FOLLOWING' ? role.leader : zab.self
  return { leader, epoch, zxid: zab.history.lastZxid }
}

/** In words: observers are followers who do not vote. */
export const roleInWords = (zab: ZabState): PeerState | 'OBSERVING' =>
  zab.role.type === 'FOLLOWING' && !zab.isVoter ? 'OBSERVING' : zab.role.type
