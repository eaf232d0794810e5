import { assert, type NodeId, type RequestId } from '@conclave/interface'
import { encodeReign, entryKind, makeEntry } from '../entry.ts'
import { followPeers, isLeaving, tickMembership } from '../membership.ts'
import { appendHeadBytes, entryLengthBytes, type Message } from '../messages.ts'
import { type Progress, probeFrom } from '../progress.ts'
import { broadcastHeartbeat, quorumWasHeard, receiveHeartbeatReply, sendHeartbeat } from '../reads.ts'
import { checkPeer, receiveAppendReply } from '../replication.ts'
import type { RaftState } from '../state.ts'
import { handOver, tickTransfer } from '../transfer.ts'
import { becomeFollower } from './follow.ts'
import type { LeaderRole } from './role.ts'

/**
 * Won an election: appends the entry that opens the reign. Until it is committed, nothing of earlier terms is known to be (section 5.4.2), and
 * nothing is read (section 8).
 */
export const becomeLeader = (raft: RaftState): void => {
  const next = raft.log.last + 1
  const role: LeaderRole = {
    type: 'leader',
    progress: new Map(),
    reign: next,
    proposals: [],
    undecidedBytes: 0,
    readsWaiting: [],
    readRounds: [],
    round: 0,
    leaseRounds: [],
    leaseFloor: 0,
    change: undefined,
    transfer: undefined,
    heartbeatIn: 0,
    quorumCheckIn: raft.timing.electionTicks,
  }
  raft.role = role
  raft.leader = raft.self
  raft.leaderGone = false
  followPeers(raft, role)
  raft.append(makeEntry(raft.term, entryKind.reign, encodeReign(raft.self)))
  broadcastHeartbeat(raft, role) // section 5.2: at once, to prevent new elections
}

export const propose = (raft: RaftState, role: LeaderRole, id: RequestId, batch: Uint8Array): void => {
  const size = batch.length
  if (appendHeadBytes + entryLengthBytes + size + 9 > raft.limits.messageBytes)
    return raft.settle(id, { type: 'refused', reason: 'invalid' })
  if (raft.disk === 'full') return raft.settle(id, { type: 'refused', reason: 'disk-full' })
  if (role.transfer !== undefined || isLeaving(raft)) return raft.settle(id, { type: 'refused', reason: 'in-progress' })
  if (role.undecidedBytes > 0 && role.undecidedBytes + size > raft.limits.undecidedBytes)
    return raft.settle(id, { type: 'refused', reason: 'overloaded' })
  role.undecidedBytes += size
  role.proposals.push({ id, position: raft.append(makeEntry(raft.term, entryKind.batch, batch)), size })
}

export const tickLeader = (raft: RaftState, role: LeaderRole): void => {
  role.quorumCheckIn--
  if (role.quorumCheckIn <= 0) {
    role.quorumCheckIn = raft.timing.electionTicks
    if (!quorumWasHeard(raft, role)) return becomeFollower(raft, raft.term, undefined)
    if (raft.disk === 'full') handOver(raft, role)
  }
  for (const [id, progress] of role.progress) tickPeer(raft, role, id, progress)
  tickTransfer(role)
  tickMembership(raft, role)
  role.heartbeatIn--
  if (role.heartbeatIn <= 0) broadcastHeartbeat(raft, role)
}

const tickPeer = (raft: RaftState, role: LeaderRole, id: NodeId, progress: Progress): void => {
  progress.silentTicks++
  if (progress.snapshotIn > 0) progress.snapshotIn--
  // An idle leader tells its followers soon that the last entries are committed; a busy one tells it with the next append.
  if (progress.toldCommit < Math.min(progress.match, raft.commit)) sendHeartbeat(raft, role, id)
  const waits = progress.state !== 'snapshot' && (progress.probing || !progress.inflight.isEmpty)
  progress.stalledTicks = waits ? progress.stalledTicks + 1 : 0
  if (progress.stalledTicks < raft.timing.heartbeatTicks * 2) return
  progress.stalledTicks = 0
  checkPeer(raft, id, progress)
}

/**
 * `up`: feed it at once. `down` and `lost`: what was in flight is gone, and the first report is answered by a probe, the further ones by the
 * checks of the tick, or a peer that takes nothing would be sent the same again and again. Before the peer has answered in this reign, its match
 * of 0 says nothing: the guess stands.
 */
export const peerChanged = (raft: RaftState, role: LeaderRole, id: NodeId, state: 'up' | 'down' | 'lost'): void => {
  const progress = role.progress.get(id)
  if (progress === undefined) return
  if (state === 'up') {
    progress.active = true
    progress.snapshotIn = 0
    sendHeartbeat(raft, role, id)
  }
  if (progress.state === 'snapshot') return // the transfer tells of its own end
  const first = progress.state === 'replicate'
  if (first) probeFrom(progress, progress.match + 1)
  progress.probing = state === 'down' || (state === 'lost' && !first)
}

export const stepLeader = (raft: RaftState, role: LeaderRole, from: NodeId, message: Message): void => {
  switch (message.type) {
    case 'appendReply':
      return receiveAppendReply(raft, role, from, message)
    case 'heartbeatReply':
      return receiveHeartbeatReply(raft, role, from, message)
    case 'append':
    case 'heartbeat':
    case 'timeoutNow':
      assert(false, `${from} leads in term ${raft.term}, which this server leads`)
      return
    case 'vote':
    case 'voteReply':
      return // votes are judged before any role sees them; a late grant changes nothing
  }
}
