import type { Member, Membership, MembershipChange, NodeId, Peer } from '@conclave/interface'

/** So many addresses a member has at the most. */
export const mostAddresses = 32

/**
 * The membership that a change asks for; undefined if it cannot be made of this one: the id is or was a member, the name is taken, nobody has that id.
 * When it counts, and through which steps it comes about, is for each engine to say.
 *
 * @param without how a member leaves, which differs from engine to engine; undefined if it may not.
 */
export const changedMembership = (
  now: Membership,
  change: MembershipChange,
  without: (now: Membership, id: NodeId) => Membership | undefined,
): Membership | undefined => {
  switch (change.type) {
    case 'add':
      return added(now, change.member, change.role === 'voter')
    case 'promote':
      return withMember(now, change.id, (member) =>
        member.role === 'learner' ? { ...member, promote: true } : undefined,
      )
    case 'remove':
      return without(now, change.id)
    case 'update': {
      const { id, name, addresses } = change.member
      if (!isSound(now, change.member)) return undefined
      return withMember(now, id, (member) => ({ ...member, name, addresses }))
    }
  }
}

const added = (now: Membership, peer: Peer, promote: boolean): Membership | undefined => {
  const { id, name, addresses } = peer
  const known = now.removed?.includes(id) === true || now.members.some((member) => member.id === id)
  if (known || !isSound(now, peer)) return undefined
  const member: Member = { id, name, addresses, role: 'learner', ...(promote && { promote }) }
  return { ...now, members: [...now.members, member] }
}

const withMember = (
  now: Membership,
  id: NodeId,
  next: (member: Member) => Member | undefined,
): Membership | undefined => {
  const old = now.members.find((member) => member.id === id)
  const member = old && next(old)
  return member && { ...now, members: now.members.map((other) => (other === old ? member : other)) }
}

/** A name is used once, and fits what `Peer` says of it. */
const isSound = ({ members }: Membership, { id, name, addresses }: Peer): boolean =>
  /^[0-9a-zA-Z._-]{1,63}$/.test(name) &&
  addresses.length <= mostAddresses &&
  !members.some((member) => member.name === name && member.id !== id)
