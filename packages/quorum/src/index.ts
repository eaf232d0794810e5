/**
 * Quorums as values: majority, joint and flexible. Pure functions; every engine counts its votes and its acknowledgements here.
 *
 * @example
 * ```ts
 * import { nodeId } from '@conclave/interface'
 * import { committed, majority, voteResult } from '@conclave/quorum'
 *
 * const [a, b, c] = ['a', 'b', 'c'].map(nodeId)
 * const quorum = majority([a, b, c])
 * voteResult(quorum, (id) => (id === c ? undefined : true)) // 'won'
 * committed(quorum, (id) => (id === a ? 7 : id === b ? 5 : 2)) // 5
 * ```
 *
 * @packageDocumentation
 */
import type { Membership, NodeId } from '@conclave/interface'

export { changedMembership, mostAddresses } from './membership.ts'

/** `need` of these voters must agree. */
export interface QuorumGroup {
  readonly voters: readonly NodeId[]
  readonly need: number
}

/** A set of nodes is a quorum if it is one in every group: one group in the plain case, two while a configuration is joint. */
export type Quorum = readonly QuorumGroup[]

/** More than half of `voters`. Without voters it is never reached: an empty configuration decides nothing. */
export const majority = (voters: readonly NodeId[]): Quorum => [{ voters, need: Math.floor(voters.length / 2) + 1 }]

/** A quorum of both at once (joint consensus; Raft, extended version, section 6). */
export const joint = (incoming: Quorum, outgoing: Quorum): Quorum => [...incoming, ...outgoing]

/**
 * Any `need` of `voters` (Flexible Paxos: Howard, Malkhi, Spiegelman, OPODIS 2016). Whether two such quorums intersect is for `intersects` to say.
 * @throws RangeError unless 1 ≤ need ≤ the number of voters.
 */
export const flexible = (voters: readonly NodeId[], need: number): Quorum => {
  if (!Number.isInteger(need) || need < 1 || need > voters.length) {
    throw new RangeError(
      `a quorum of ${need} out of ${voters.length} voters; it takes a whole number from 1 to ${voters.length}`,
    )
  }
  return [{ voters, need }]
}

/** The quorum of a configuration: the majority of its voters, and of the outgoing ones too while it is joint. Learners count in neither. */
export const quorumOf = (membership: Membership): Quorum => {
  const voters = membership.members.filter((member) => member.role === 'voter').map((member) => member.id)
  return membership.outgoing === undefined ? majority(voters) : joint(majority(voters), majority(membership.outgoing))
}

/** Every node that counts in some group, once. */
export const votersOf = (quorum: Quorum): readonly NodeId[] => [...new Set(quorum.flatMap((group) => group.voters))]

/** Whether every quorum of `a` shares a node with every quorum of `b`. Sufficient, judged group by group over the same voters. */
export const intersects = (a: Quorum, b: Quorum): boolean =>
  a.some((left) =>
    b.some((right) => sameVoters(left.voters, right.voters) && left.need + right.need > left.voters.length),
  )

const sameVoters = (a: readonly NodeId[], b: readonly NodeId[]): boolean =>
  a.length === b.length && a.every((id) => b.includes(id))

export type VoteResult = 'won' | 'lost' | 'pending'

/** @param vote true: granted; false: refused; undefined: not heard yet. */
export const voteResult = (quorum: Quorum, vote: (id: NodeId) => boolean | undefined): VoteResult => {
  let result: VoteResult = 'won'
  for (const { voters, need } of quorum) {
    let granted = 0
    let refused = 0
    for (const id of voters) {
      const cast = vote(id)
      if (cast === true) granted++
      else if (cast === false) refused++
    }
    if (voters.length - refused < need) return 'lost'
    if (granted < need) result = 'pending'
  }
  return result
}

/** The highest position that a quorum has reached. @param reached the highest position that a node is known to have; 0 for none. */
export const committed = (quorum: Quorum, reached: (id: NodeId) => number): number => {
  let least = Number.POSITIVE_INFINITY
  for (const { voters, need } of quorum) least = Math.min(least, reachedBy(voters, need, reached))
  return least === Number.POSITIVE_INFINITY ? 0 : least
}

/** The highest position that `need` of `voters` have reached. */
const reachedBy = (voters: readonly NodeId[], need: number, reached: (id: NodeId) => number): number => {
  if (voters.length < need) return 0
  const positions = voters.map(reached).sort((a, b) => b - a)
  return positions[need - 1] ?? 0
}
