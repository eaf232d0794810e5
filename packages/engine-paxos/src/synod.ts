/**
 * The Synod: Paxos for one single value (The Part-Time Parliament, section 2; Paxos Made Simple, section 2). Multi-Paxos runs one of these per slot and shares their
 * first phase; the rest of this package is about doing that well. Whoever meets Paxos for the first time begins here: this is all of it.
 *
 * Everything is a pure function of a state and a message. The one rule about the world: **the state that an acceptor returns is on disk before its reply
 * leaves.** Messages may be lost, doubled and late; nothing here minds.
 *
 * @example
 * ```ts
 * import { nodeId } from '@conclave/interface'
 * import { majority } from '@conclave/quorum'
 * import { acceptValue, countAccepted, newAcceptor, newBallot, promiseBallot, takePromise } from '@conclave/engine-paxos'
 *
 * const [a, b, c] = ['a', 'b', 'c'].map(nodeId)
 * let acceptor = newAcceptor<string>()
 * let proposer = newBallot({ round: 1, ordinal: 1 }, 'apples', majority([a, b, c]))
 *
 * const [promised, promise] = promiseBallot(acceptor, proposer.ballot) // phase 1 at one acceptor; save `promised` first
 * acceptor = promised
 * proposer = takePromise(proposer, a, promise)
 * proposer.value // undefined: one promise of three is no quorum
 * ```
 */
import type { NodeId } from '@conclave/interface'
import { type Quorum, voteResult } from '@conclave/quorum'
import { type Ballot, compareBallots, noBallot, sameBallot } from './ballot.ts'

export type { Ballot } from './ballot.ts'

/** A value and the ballot in which it was accepted ("vote" in The Part-Time Parliament). */
export interface Vote<V> {
  readonly ballot: Ballot
  readonly value: V
}

// ---- the acceptor -------------------------------------------------------------------------------------------------------------------

/** All that an acceptor has to remember, for ever. */
export interface SynodAcceptor<V> {
  /** It accepts nothing in a lower ballot any more. */
  readonly promised: Ballot
  /** What it accepted last. */
  readonly vote?: Vote<V>
}

export const newAcceptor = <V>(): SynodAcceptor<V> => ({ promised: noBallot })

export type PromiseReply<V> =
  | { readonly type: 'promise'; readonly ballot: Ballot; readonly vote?: Vote<V> }
  | { readonly type: 'nack'; readonly promised: Ballot }

/** Phase 1b: promises a ballot unless a higher one is promised, and tells what was accepted. */
export const promiseBallot = <V>(
  acceptor: SynodAcceptor<V>,
  ballot: Ballot,
): readonly [SynodAcceptor<V>, PromiseReply<V>] => {
  if (compareBallots(ballot, acceptor.promised) < 0) return [acceptor, { type: 'nack', promised: acceptor.promised }]
  return [
    { ...acceptor, promised: ballot },
    { type: 'promise', ballot, ...(acceptor.vote !== undefined && { vote: acceptor.vote }) },
  ]
}

export type AcceptReply =
  | { readonly type: 'accepted'; readonly ballot: Ballot }
  | { readonly type: 'nack'; readonly promised: Ballot }

/** Phase 2b: accepts unless a higher ballot is promised. Accepting a ballot promises it too. */
export const acceptValue = <V>(
  acceptor: SynodAcceptor<V>,
  { ballot, value }: Vote<V>,
): readonly [SynodAcceptor<V>, AcceptReply] => {
  if (compareBallots(ballot, acceptor.promised) < 0) return [acceptor, { type: 'nack', promised: acceptor.promised }]
  return [
    { promised: ballot, vote: { ballot, value } },
    { type: 'accepted', ballot },
  ]
}

// ---- the proposer, in one ballot ----------------------------------------------------------------------------------------------------

export interface SynodProposer<V> {
  readonly ballot: Ballot
  /** What the proposer would like to see chosen. */
  readonly wish: V
  readonly quorum: Quorum
  readonly promises: ReadonlyMap<NodeId, Vote<V> | undefined>
  /** Phase 2: what it may propose, once a quorum has promised. Never changes in one ballot. */
  readonly value?: V
  readonly accepted: ReadonlySet<NodeId>
  /** A quorum has accepted: the value is chosen, and no other ever will be. */
  readonly chosen: boolean
}

/** Begins a ballot. @param ballot must never have been used before, not even before a crash. @param quorum any two must intersect. */
export const newBallot = <V>(ballot: Ballot, wish: V, quorum: Quorum): SynodProposer<V> => ({
  ballot,
  wish,
  quorum,
  promises: new Map(),
  accepted: new Set(),
  chosen: false,
})

/**
 * Counts a promise. With a quorum of them the value is settled: that of the highest ballot among their votes, since it may have been chosen; the own wish
 * only if there is none (Paxos Made Simple, P2c). A promise of another ballot, or after that, changes nothing.
 */
export const takePromise = <V>(proposer: SynodProposer<V>, from: NodeId, reply: PromiseReply<V>): SynodProposer<V> => {
  if (reply.type !== 'promise' || !sameBallot(reply.ballot, proposer.ballot) || proposer.value !== undefined)
    return proposer
  const promises = new Map(proposer.promises).set(from, reply.vote)
  if (voteResult(proposer.quorum, (id) => promises.has(id) || undefined) !== 'won') return { ...proposer, promises }
  let highest: Vote<V> | undefined
  for (const vote of promises.values())
    if (vote !== undefined && compareBallots(vote.ballot, highest?.ballot ?? noBallot) > 0) highest = vote
  return { ...proposer, promises, value: highest === undefined ? proposer.wish : highest.value }
}

/** Counts an acceptance of this ballot. */
export const countAccepted = <V>(proposer: SynodProposer<V>, from: NodeId, reply: AcceptReply): SynodProposer<V> => {
  if (reply.type !== 'accepted' || !sameBallot(reply.ballot, proposer.ballot)) return proposer
  const accepted = new Set(proposer.accepted).add(from)
  return { ...proposer, accepted, chosen: voteResult(proposer.quorum, (id) => accepted.has(id) || undefined) === 'won' }
}
