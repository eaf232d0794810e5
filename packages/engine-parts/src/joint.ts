import { MalformedBytes, type Member, type Membership, mostRemoved, type NodeId } from '@conclave/interface'
import { decodeMembers, encodeMembers, mostConfigurationBytes, mostMembers } from './membership-bytes.ts'

/*
 * Changes of the voters in two steps, each an entry of the log: a joint configuration, under which every decision needs a majority of the old voters and one of
 * the new, and, once that is decided, the new one alone. A voter that leaves stands in the joint configuration as a learner: it is told everything, and
 * whoever has only this configuration knows how to reach it.
 */

const votersOf = ({ members }: Membership): NodeId[] =>
  members.filter(({ role }) => role === 'voter').map(({ id }) => id)

const forget = ({ members, removed = [] }: Membership, ids: readonly NodeId[]): Membership => ({
  members: members.filter(({ id }) => !ids.includes(id)),
  ...(removed.length + ids.length > 0 && { removed: [...removed, ...ids].slice(-mostRemoved) }),
})

/** The configuration that begins the departure of a member; undefined if it is none, or the last voter. */
export const jointWithout = (now: Membership, id: NodeId): Membership | undefined => {
  const leaving = now.members.find((member) => member.id === id)
  if (leaving === undefined) return undefined
  const voters = votersOf(now)
  // A learner just goes: it counts nowhere.
  if (leaving.role === 'learner') return forget(now, [id])
  if (voters.length === 1) return undefined
  const members = now.members.map((member) => (member === leaving ? { ...leaving, role: 'learner' as const } : member))
  return { ...now, members, outgoing: voters }
}

/** The joint configuration that makes voters of these learners. */
export const jointWithVoters = (now: Membership, ready: ReadonlySet<NodeId>): Membership => {
  const members = now.members.map((member): Member => {
    const { id, name, addresses } = member
    return ready.has(id) ? { id, name, addresses, role: 'voter' } : member
  })
  return { ...now, members, outgoing: votersOf(now) }
}

/** What a joint configuration becomes: voters of the past are gone. A configuration that is not joint is what it is. */
export const settledMembership = (joint: Membership): Membership => {
  const { members, outgoing } = joint
  if (outgoing === undefined) return joint
  return forget(
    joint,
    members.filter(({ id, role }) => role === 'learner' && outgoing.includes(id)).map(({ id }) => id),
  )
}

/** Whether everybody could read it, in a message of at most so many bytes beside `overhead`, and in the header of a snapshot. */
export const membershipFits = (membership: Membership, messageBytes: number, overhead: number): boolean => {
  if (membership.members.length > mostMembers) return false
  const bytes = encodeMembers(membership)
  if (bytes.length > mostConfigurationBytes || bytes.length + overhead > messageBytes) return false
  try {
    decodeMembers(bytes)
    return true
  } catch (error) {
    if (error instanceof MalformedBytes) return false
    throw error
  }
}
