import {
  MalformedBytes,
  type Member,
  type Membership,
  type MembershipChange,
  mostRemoved,
  type NodeId,
  type Refusal,
  type RequestId,
} from '@conclave/interface'
import { changedMembership } from '@conclave/quorum'
import { sameBallot } from './ballot.ts'
import {
  type Configuration,
  decodeConfiguration,
  encodeConfiguration,
  mostConfigurationBytes,
  mostMembers,
  nextConfiguration,
  quorumFault,
  quorumsOf,
  votersOfConfiguration,
} from './configuration.ts'
import { mostOverhead } from './messages.ts'
import { quorumIsHeard } from './reads.ts'
import { proposeValue } from './replication.ts'
import type { LeaderRole } from './roles/role.ts'
import type { PaxosState } from './state.ts'
import { makeStop, valueHeaderBytes } from './value.ts'

/*
 * Membership by stop-sign (Lamport, Malkhi, Zhou: Reconfiguring a State Machine, section 4.2; Vertical Paxos and Omni-Paxos do the same). A change is a
 * value like any other, the last one of its configuration: it names the next one, whose members alone decide what follows. So any set of members may follow
 * any other in one step. What happens when it is decided is in `succession.ts`.
 */

/** Proposes the stop-sign that makes the change. */
export const reconfigure = (paxos: PaxosState, role: LeaderRole, id: RequestId, change: MembershipChange): void => {
  const closed = closedFor(paxos, role)
  if (closed !== undefined) return paxos.out.settle(id, { type: 'refused', reason: closed })
  const membership = changedMembership(paxos.configuration.membership, change, without)
  const next = membership && nextConfiguration(paxos.configuration, membership)
  if (next === undefined || !fits(paxos, next)) return paxos.out.settle(id, { type: 'refused', reason: 'invalid' })
  if (!couldTakeOver(paxos, role, next)) return paxos.out.settle(id, { type: 'refused', reason: 'not-ready' })
  proposeNext(paxos, role, next, id)
}

const proposeNext = (paxos: PaxosState, role: LeaderRole, next: Configuration, id: RequestId | undefined): void => {
  role.tenure.change = { id, slot: proposeValue(paxos, role, makeStop(role.ballot, next)) }
}

/** A configuration that could elect no leader at once would end the service, so it is not begun while too many of its voters are silent. */
const couldTakeOver = (paxos: PaxosState, role: LeaderRole, next: Configuration): boolean =>
  quorumIsHeard(paxos, role, quorumsOf(next, paxos.sizes).phase1)

/** Why no change may begin now. */
const closedFor = (paxos: PaxosState, role: LeaderRole): Refusal | undefined => {
  if (role.stopped || role.tenure.change !== undefined || role.transfer !== undefined) return 'in-progress'
  if (!sameBallot(paxos.reign, role.ballot)) return 'not-ready'
  return paxos.disk === 'full' ? 'disk-full' : undefined
}

/** Anybody but the last voter may leave. */
const without = ({ members, removed = [] }: Membership, id: NodeId): Membership | undefined => {
  const left = members.filter((member) => member.id !== id)
  if (left.length === members.length || !left.some(({ role }) => role === 'voter')) return undefined
  return { members: left, removed: [...removed, id].slice(-mostRemoved) }
}

/** Whether everybody could read it, in a message and in the header of a snapshot, and its quorums would intersect. */
const fits = (paxos: PaxosState, next: Configuration): boolean => {
  if (next.membership.members.length > mostMembers) return false
  const voters = votersOfConfiguration(next).length
  if (paxos.sizes !== undefined && quorumFault(voters, paxos.sizes) !== undefined) return false
  const bytes = encodeConfiguration(next)
  const overhead = mostOverhead + valueHeaderBytes
  if (bytes.length > mostConfigurationBytes || bytes.length + overhead > paxos.limits.messageBytes) return false
  try {
    decodeConfiguration(bytes)
    return true
  } catch (error) {
    if (error instanceof MalformedBytes) return false
    throw error
  }
}

/** Learners that are to become voters do so once they have caught up: by themselves, so also under a later leader. */
export const tickMembership = (paxos: PaxosState, role: LeaderRole): void => {
  const { membership } = paxos.configuration
  const ready = membership.members.filter(({ id, promote }) => promote === true && hasCaughtUp(paxos, role, id))
  if (ready.length === 0 || closedFor(paxos, role) !== undefined) return
  const members = membership.members.map((member): Member => {
    const { id, name, addresses } = member
    return ready.includes(member) ? { id, name, addresses, role: 'voter' } : member
  })
  const next = nextConfiguration(paxos.configuration, { ...membership, members })
  if (fits(paxos, next) && couldTakeOver(paxos, role, next)) proposeNext(paxos, role, next, undefined)
}

/** So few slots that a new voter does not hold up the others (dissertation on Raft, section 4.2.1, has rounds for the same purpose). */
const fewSlots = 64

const hasCaughtUp = (paxos: PaxosState, role: LeaderRole, id: NodeId): boolean => {
  const progress = role.progress.get(id)
  return progress?.state === 'stream' && progress.answered > 0 && progress.delivered + fewSlots >= paxos.decided
}
