import { maxMembers } from '@conclave/client/protocol'
import type { Member, Membership, MembershipChange, NodeId, Peer } from '@conclave/interface'

const memberOf = ({ members }: Membership, id: NodeId): Member | undefined => members.find((member) => member.id === id)

/** Why this peer cannot stand in the configuration, apart from its id. */
const judgePeer = ({ members }: Membership, { id, name, addresses }: Peer): string | undefined => {
  if (!/^[0-9a-zA-Z._-]{1,63}$/.test(name)) return 'a name has 1 to 63 characters of 0-9 a-z A-Z . _ -'
  if (members.some((member) => member.name === name && member.id !== id))
    return `another member is called ${name}: names are unique, choose another one`
  if (addresses.length === 0) return 'a member needs at least one address at which the others reach it'
  return undefined
}

const judgeAdd = (membership: Membership, peer: Peer): string | undefined => {
  const present = memberOf(membership, peer.id)
  if (present !== undefined) return `this id is a member already, under the name ${present.name}`
  if (membership.removed?.includes(peer.id) === true)
    return 'this id was a member before, and an id is never used again: make a new identity with `conclave init` in an empty directory'
  if (membership.members.length >= maxMembers) return `a cluster has at most ${maxMembers} members`
  return judgePeer(membership, peer)
}

const unknown = (membership: Membership, id: NodeId): string =>
  membership.removed?.includes(id) === true ? 'this member was removed before' : 'there is no member of this id'

/** Why a change cannot be made, in words for the one who asked for it; undefined: it is for the engine to judge. */
export const judgeChange = (membership: Membership, change: MembershipChange): string | undefined => {
  if (change.type === 'add') return judgeAdd(membership, change.member)
  const id = change.type === 'update' ? change.member.id : change.id
  const member = memberOf(membership, id)
  if (member === undefined) return unknown(membership, id)
  if (change.type === 'update') return judgePeer(membership, change.member)
  if (change.type === 'promote') return member.role === 'voter' ? `${member.name} is a voter already` : undefined
  const voters = membership.members.filter(({ role }) => role === 'voter')
  if (member.role === 'voter' && voters.length === 1)
    return `${member.name} is the last voter: without it there is no cluster. Add another voter first`
  return undefined
}

/** Why leadership cannot be given to `to`; as above. */
export const judgeTransfer = (membership: Membership, to: NodeId): string | undefined => {
  const member = memberOf(membership, to)
  if (member === undefined) return unknown(membership, to)
  return member.role === 'voter' ? undefined : `${member.name} is a learner: only a voter can lead`
}
