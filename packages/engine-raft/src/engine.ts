import {
  assert,
  type Effects,
  type Engine,
  type EngineInit,
  type Input,
  MalformedBytes,
  type Monotonic,
  type NodeId,
  position,
  type Status,
  type Supports,
  unreachable,
} from '@conclave/interface'
import { judgeVote, mayDepose, ownVotePersisted, receiveVoteReply, tickCandidate } from './election.ts'
import { reconfigure } from './membership.ts'
import { decodeMessage, type Message, type MessageVersion } from './messages.ts'
import { beginReadRound, cancelRead, read } from './reads.ts'
import { advanceCommit, replicate } from './replication.ts'
import { becomeFollower, electionTicks, heardLeader } from './roles/follow.ts'
import { leaderLinkDown, stepFollower, tickFollower } from './roles/follower.ts'
import { peerChanged, propose, stepLeader, tickLeader } from './roles/leader.ts'
import { installReceived, judgeOffer, nameCaptured, neededByPeers, refuseStale, snapshotSent } from './snapshot.ts'
import { epochOf, RaftState } from './state.ts'
import { diskChanged, pushTransfer, transfer } from './transfer.ts'

/** One Raft server. See the package's documentation. */
export class RaftEngine implements Engine {
  readonly supports: Supports
  readonly #raft: RaftState

  /** @param version the newest version of messages that it knows; with 1 it is the server of the release that knew no other. */
  constructor(init: EngineInit, version: MessageVersion = 2) {
    assert(
      init.timing.electionTicks >= init.timing.heartbeatTicks * 4,
      'the election time-out must be at least four heartbeats',
    )
    this.#raft = new RaftState(init, { type: 'follower', electionIn: 0 }, version)
    this.#raft.role = { type: 'follower', electionIn: electionTicks(this.#raft) }
    const changes = version > 1
    const { leases } = this.#raft
    this.supports = { snapshots: true, reads: true, membership: changes, learners: changes, transfer: changes, leases }
  }

  step(input: Input, now: Monotonic): void {
    const raft = this.#raft
    raft.now = now
    raft.pledge.begin(now)
    const { role } = raft
    switch (input.type) {
      case 'tick':
        return tick(raft)
      case 'receive':
        return receive(raft, input.from, input.message)
      case 'peer':
        if (role.type === 'leader') peerChanged(raft, role, input.id, input.state)
        else if (role.type === 'follower' && input.state === 'down' && input.id === raft.leader)
          leaderLinkDown(raft, role)
        return
      case 'propose':
        if (role.type === 'leader') return propose(raft, role, input.id, input.batch)
        return raft.settle(input.id, { type: 'refused', reason: 'not-leader' })
      case 'read':
        if (role.type === 'leader') return read(raft, role, input.id, input.level)
        return raft.settle(input.id, { type: 'refused', reason: 'not-leader' })
      case 'cancel':
        if (role.type === 'leader') cancelRead(role, input.id)
        return
      case 'reconfigure':
        if (!this.supports.membership) return raft.settle(input.id, { type: 'refused', reason: 'unsupported' })
        if (role.type === 'leader') return reconfigure(raft, role, input.id, input.change)
        return raft.settle(input.id, { type: 'refused', reason: 'not-leader' })
      case 'transfer':
        if (this.supports.transfer && role.type === 'leader') transfer(raft, role, input.to)
        return
      case 'persisted':
        return persisted(raft, input.write)
      case 'disk':
        return diskChanged(raft, input.state)
      case 'captured':
        return nameCaptured(raft, input.snapshot)
      case 'snapshotOffered':
        return judgeOffer(raft, input.from, input.header)
      case 'snapshotReceived':
        return installReceived(raft, input.from, input.id, input.header)
      case 'snapshotSent':
        if (role.type === 'leader') snapshotSent(role, input.to, input.id, input.ok)
        return
      default:
        return unreachable(input)
    }
  }

  drain(): Effects {
    const raft = this.#raft
    if (raft.role.type === 'leader') {
      beginReadRound(raft, raft.role)
      pushTransfer(raft, raft.role)
      replicate(raft, raft.role)
      raft.evictTail(neededByPeers(raft.role))
    } else raft.evictTail(Number.POSITIVE_INFINITY)
    return raft.drain()
  }

  status(): Status {
    const raft = this.#raft
    return {
      role: raft.role.type,
      leading: raft.role.type === 'leader',
      epoch: epochOf(raft.term),
      ...(raft.leader !== undefined && { leader: raft.leader }),
      decided: position(raft.commit),
      last: position(raft.log.last),
      snapshot: position(raft.snapshot?.position ?? 0),
      membership: raft.membership,
      self: raft.membership.members.find((member) => member.id === raft.self)?.role ?? 'none',
      malformed: raft.malformed,
      detail: detail(raft),
    }
  }
}

const detail = (raft: RaftState): Status['detail'] => {
  const figures: Record<string, number | string> = {
    term: raft.term,
    votedFor: raft.vote ?? '',
    tailFrom: raft.log.base + 1,
    tailBytes: raft.tailBytes,
    durable: raft.stable.position,
  }
  if (raft.role.type !== 'leader') return figures
  for (const [id, { state, match, next }] of raft.role.progress)
    figures[`peer ${id}`] = `${state} match ${match} next ${next}`
  return figures
}

const tick = (raft: RaftState): void => {
  const { role } = raft
  if (role.type === 'leader') return tickLeader(raft, role)
  raft.sinceLeader++
  if (role.type === 'follower') tickFollower(raft, role)
  else tickCandidate(raft, role)
}

const persisted = (raft: RaftState, write: number): void => {
  raft.stable.persisted(write)
  raft.pledge.persisted(write)
  const { role } = raft
  if (role.type === 'candidate' && write >= role.ownVote && !role.votes.has(raft.self)) ownVotePersisted(raft, role)
  else if (role.type === 'leader') advanceCommit(raft, role)
}

const receive = (raft: RaftState, from: NodeId, bytes: Uint8Array): void => {
  let message: Message
  try {
    message = decodeMessage(bytes, raft.version)
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
    raft.malformed++
    return
  }
  if (!passesGate(raft, from, message)) return
  if (message.type === 'vote') return judgeVote(raft, from, message)
  if (message.type === 'voteReply') return receiveVoteReply(raft, from, message)
  if (raft.role.type === 'leader') return stepLeader(raft, raft.role, from, message)
  stepFollower(raft, from, message)
}

/**
 * The one place where terms are compared (section 5.1). After it, a message is of the present term, or is a pre-vote, which belongs to no term yet;
 * whoever hears the leader of the present term follows it.
 */
const passesGate = (raft: RaftState, from: NodeId, message: Message): boolean => {
  if (message.term < raft.term) {
    refuseOld(raft, from, message)
    return false
  }
  const leads = message.type === 'append' || message.type === 'heartbeat' || message.type === 'timeoutNow'
  if (message.term > raft.term) {
    if (message.type === 'vote' && message.pre) return true
    if (message.type === 'voteReply' && message.pre && message.granted) return true
    if (message.type === 'vote' && !mayDepose(raft, from, message)) return false // section 6: it does not even raise the term
    becomeFollower(raft, message.term, leads ? from : undefined)
  }
  if (leads && raft.role.type !== 'leader') heardLeader(raft, from)
  return true
}

/** A deposed leader learns the term from a refusal; so does a candidate, even one whose pre-vote is of a lower term, or the two could deadlock. */
const refuseOld = (raft: RaftState, from: NodeId, message: Message): void => {
  switch (message.type) {
    case 'append':
    case 'heartbeat':
    case 'timeoutNow':
      return refuseStale(raft, from)
    case 'vote':
      return raft.sendEarly(from, { type: 'voteReply', term: raft.term, pre: message.pre, granted: false })
    case 'voteReply':
    case 'appendReply':
    case 'heartbeatReply':
      return
  }
}
