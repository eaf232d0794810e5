import { encodeMembers, jointWithout, jointWithVoters, membershipFits, settledMembership } from '@conclave/engine-parts'
import {
  type Member,
  type Membership,
  type MembershipChange,
  type NodeId,
  position,
  type Refusal,
  type RequestId,
} from '@conclave/interface'
import { changedMembership } from '@conclave/quorum'
import { endLease } from './leases.ts'
import { mostOverhead } from './messages.ts'
import { isUsedUp, proposeTransaction } from './primary.ts'
import { startProgress } from './progress.ts'
import { broadcastPing, isHeard, isOpen } from './reads.ts'
import { becomeLooking } from './roles/looking.ts'
import type { LeaderRole } from './roles/role.ts'
import type { ZabState } from './state.ts'
import { transactionKind } from './transaction.ts'
import { handOverAtOnce } from './transfer.ts'

/*
 * Reconfiguration (Shraer, Reed, Malkhi, Junqueira: "Dynamic Reconfiguration of Primary/Backup Clusters", USENIX ATC 2012): the change is a transaction like any other,
 * committed by a quorum of the old configuration and one of the new. That it is committed and in force is a second transaction here, where the paper has
 * an activation message: so the history alone says whose quorums count, also after a restart, and members that left may be switched off once it is committed.
 */

// ---- a change begins --------------------------------------------------------------------------------------------------------------------

export const reconfigure = (zab: ZabState, role: LeaderRole, id: RequestId, change: MembershipChange): void => {
  const closed = closedFor(zab, role)
  if (closed !== undefined) return zab.out.settle(id, { type: 'refused', reason: closed })
  const next = changedMembership(zab.membership, change, jointWithout)
  if (next === undefined || !fits(zab, next) || !fits(zab, settledMembership(next)))
    return zab.out.settle(id, { type: 'refused', reason: 'invalid' })
  const at = proposeConfiguration(zab, role, next)
  role.change = { id, endsAt: next.outgoing === undefined ? at : Number.POSITIVE_INFINITY }
}

/** Why no change may begin now: one at a time, and not before the leader's own epoch is committed. */
const closedFor = (zab: ZabState, role: LeaderRole): Refusal | undefined => {
  const { position: at, membership } = zab.configurations.latest
  if (!isOpen(zab, role)) return 'not-ready'
  const busy = at > zab.committed || membership.outgoing !== undefined
  if (busy || role.transfer !== undefined || isUsedUp(zab, role)) return 'in-progress'
  return zab.disk === 'full' ? 'disk-full' : undefined
}

/** Whether everybody could read it, in a message and in the header of a snapshot. */
const fits = ({ limits }: ZabState, membership: Membership): boolean =>
  membershipFits(membership, limits.messageBytes, mostOverhead)

const proposeConfiguration = (zab: ZabState, role: LeaderRole, membership: Membership): number => {
  endLease(role)
  const at = proposeTransaction(zab, role, transactionKind.members, encodeMembers(membership))
  followPeers(zab, role)
  return at
}

/** Everyone of every configuration that may still count is fed, and who is in the latest no more is held on to, until it has been told so. */
export const followPeers = (zab: ZabState, role: LeaderRole): void => {
  const { members } = zab.membership
  for (const peer of zab.peers()) {
    if (!members.some(({ id }) => id === peer.id)) zab.depart(peer)
    if (!role.progress.has(peer.id)) role.progress.set(peer.id, startProgress())
  }
}

// ---- a configuration is committed ---------------------------------------------------------------------------------------------------------

/** Something was committed. A joint configuration that is goes on to the one that it leads to, also if an earlier leader began it. */
export const afterCommit = (zab: ZabState, role: LeaderRole): void => {
  const { latest } = zab.configurations
  if (latest.position > zab.committed || !isOpen(zab, role)) return
  if (latest.membership.outgoing !== undefined) {
    const endsAt = proposeConfiguration(zab, role, settledMembership(latest.membership))
    if (role.change !== undefined) role.change = { id: role.change.id, endsAt }
    return
  }
  settleChange(zab, role)
  if (isLeaving(zab)) leave(zab, role)
}

const settleChange = (zab: ZabState, role: LeaderRole): void => {
  const { change } = role
  if (change === undefined || change.endsAt > zab.committed) return
  role.change = undefined
  zab.out.settle(change.id, { type: 'decided', position: position(change.endsAt) })
}

/** The latest configuration is without this node, which leads until that is committed. */
export const isLeaving = (zab: ZabState): boolean => !zab.membership.members.some(({ id }) => id === zab.self)

/** Tells the others that they are on their own, and who begins. */
const leave = (zab: ZabState, role: LeaderRole): void => {
  broadcastPing(zab, role)
  handOverAtOnce(zab, role)
  becomeLooking(zab)
}

// ---- as time passes -------------------------------------------------------------------------------------------------------------------------

/** So many election time-outs a removed member that does not answer is told that it is one. */
const farewell = 10

export const tickMembership = (zab: ZabState, role: LeaderRole): void => {
  for (const id of [...zab.departing.keys()]) tickDeparting(zab, role, id)
  const ready = zab.membership.members.filter((member) => isReady(zab, role, member)).map(({ id }) => id)
  if (ready.length > 0 && closedFor(zab, role) === undefined) promote(zab, role, new Set(ready))
}

/** A removed member is fed until it has the configuration that it is not in and has been told, for a while, that this is committed. */
const tickDeparting = (zab: ZabState, role: LeaderRole, id: NodeId): void => {
  const progress = role.progress.get(id)
  const { electionTicks } = zab.timing
  const { position: at } = zab.configurations.latest
  if (progress === undefined || at > zab.committed) return
  const told = progress.acked >= at && progress.told >= at
  progress.leaveIn = Math.min(progress.leaveIn, told ? electionTicks : electionTicks * farewell) - 1
  if (progress.leaveIn > 0) return
  role.progress.delete(id)
  zab.departed([id])
}

/** So few transactions that a new voter does not hold up the others. */
const fewTransactions = 64

/** An observer on its way to voter that has caught up, and answers. */
const isReady = (zab: ZabState, role: LeaderRole, { id, promote: wanted }: Member): boolean => {
  const progress = role.progress.get(id)
  if (wanted === undefined || progress === undefined || !progress.follows || !isHeard(zab, progress)) return false
  return progress.state === 'stream' && progress.acked + fewTransactions >= zab.history.last
}

/** Nobody asked for it but the mark in the configuration, so a later leader does it as well. */
const promote = (zab: ZabState, role: LeaderRole, ready: ReadonlySet<NodeId>): void => {
  const next = jointWithVoters(zab.membership, ready)
  if (fits(zab, next)) proposeConfiguration(zab, role, next)
}
