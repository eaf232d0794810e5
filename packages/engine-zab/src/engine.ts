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
import { acceptCommit, acceptProposals, propose } from './broadcast.ts'
import { acceptNewEpoch, ownPromisePersisted, receiveAckEpoch, receiveCepoch, tickElected } from './discovery.ts'
import { askedToLead, peerChangedLooking, receiveNotification, tickLooking } from './election.ts'
import { replicate } from './feeding.ts'
import { reconfigure } from './membership.ts'
import { decodeMessage, type Message } from './messages.ts'
import { receivePing } from './pings.ts'
import { beginReadRound, cancelRead, read } from './reads.ts'
import { tickFollowing } from './roles/following.ts'
import { leaderPersisted, peerChangedLeading, stepLeading, tickLeading } from './roles/leading.ts'
import { becomeLooking, lookingRole, roleInWords } from './roles/looking.ts'
import type { FollowingRole, LeaderRole } from './roles/role.ts'
import { installReceived, judgeOffer, nameCaptured, neededByPeers, snapshotSent } from './snapshot.ts'
import { epochOf, ZabState } from './state.ts'
import { giveWay, renew, takeOver } from './succession.ts'
import { acceptCommitLeader, acceptNewLeader, beginStream, truncate } from './synchronization.ts'
import { diskChanged, pushTransfer, transfer } from './transfer.ts'
import { showZxid } from './zxid.ts'

/** One Zab node. See the package's documentation. */
export class ZabEngine implements Engine {
  readonly supports: Supports = {
    snapshots: true,
    reads: true,
    membership: true,
    learners: true,
    transfer: true,
    leases: true,
  }
  readonly #zab: ZabState

  constructor(init: EngineInit, mostCounter: number) {
    assert(
      init.timing.electionTicks >= init.timing.heartbeatTicks * 4,
      'the election time-out must be at least four heartbeats',
    )
    this.#zab = new ZabState(init, mostCounter, {
      type: 'LOOKING',
      vote: undefined,
      votes: new Map(),
      finalIn: undefined,
      notifyIn: 0,
    })
    this.#zab.role = lookingRole(this.#zab)
  }

  step(input: Input, now: Monotonic): void {
    const zab = this.#zab
    zab.now = now
    zab.pledge.begin(now)
    const { role } = zab
    switch (input.type) {
      case 'tick':
        return tick(zab)
      case 'receive':
        return receive(zab, input.from, input.message)
      case 'peer':
        return peerChanged(zab, input.id, input.state)
      case 'propose':
      case 'read':
      case 'reconfigure':
        return ask(zab, input)
      case 'cancel':
        if (isLeader(role)) cancelRead(role, input.id)
        return
      case 'transfer':
        if (isLeader(role)) transfer(zab, role, input.to)
        return
      case 'persisted':
        return persisted(zab, input.write)
      case 'disk':
        return diskChanged(zab, input.state)
      case 'captured':
        return nameCaptured(zab, input.snapshot)
      case 'snapshotOffered':
        return judgeOffer(zab, input.from, input.header)
      case 'snapshotReceived':
        return installReceived(zab, input.from, input.id, input.header)
      case 'snapshotSent':
        if (role.type === 'LEADING' && role.phase !== 'discovery') snapshotSent(role, input.to, input.id, input.ok)
        return
      default:
        return unreachable(input)
    }
  }

  drain(): Effects {
    const zab = this.#zab
    if (isLeader(zab.role)) {
      beginReadRound(zab, zab.role)
      pushTransfer(zab, zab.role)
      renew(zab, zab.role)
    }
    const { role } = zab
    if (role.type === 'LEADING' && role.phase !== 'discovery') {
      replicate(zab, role)
      zab.evictTail(neededByPeers(role))
    } else zab.evictTail(Number.POSITIVE_INFINITY)
    return zab.drain()
  }

  status(): Status {
    const zab = this.#zab
    return {
      role: roleInWords(zab),
      leading: isLeader(zab.role),
      epoch: epochOf(zab.acceptedEpoch),
      ...(zab.leader !== undefined && { leader: zab.leader }),
      decided: position(zab.committed),
      last: position(zab.history.last),
      snapshot: position(zab.snapshot?.position ?? 0),
      membership: zab.membership,
      self: zab.membership.members.find((member) => member.id === zab.self)?.role ?? 'none',
      malformed: zab.malformed,
      detail: detail(zab),
    }
  }
}

/** Whether it leads, as the world outside means it: a quorum follows. */
const isLeader = (role: ZabState['role']): role is LeaderRole => role.type === 'LEADING' && role.phase === 'broadcast'

const detail = (zab: ZabState): Status['detail'] => {
  const { role } = zab
  const figures: Record<string, number | string> = {
    phase: role.type === 'LOOKING' ? 'election' : role.phase,
    acceptedEpoch: zab.acceptedEpoch,
    currentEpoch: zab.currentEpoch,
    zxid: showZxid(zab.history.lastZxid),
    tailFrom: zab.history.base + 1,
    tailBytes: zab.tailBytes,
    durable: zab.stable.position,
  }
  if (role.type !== 'LEADING' || role.phase === 'discovery') return figures
  for (const [id, { state, acked, follows }] of role.progress)
    figures[`peer ${id}`] = `${state} acked ${acked}${follows ? '' : ' not following'}`
  return figures
}

const tick = (zab: ZabState): void => {
  const { role, passedOver } = zab
  if (passedOver !== undefined && --passedOver.ticksLeft <= 0) zab.passedOver = undefined
  if (role.type === 'LOOKING') tickLooking(zab, role)
  else if (role.type === 'FOLLOWING') tickFollowing(zab, role)
  else if (role.phase === 'discovery') tickElected(zab, role)
  else tickLeading(zab, role)
}

/** What only the leader takes. */
const ask = (zab: ZabState, input: Input & { type: 'propose' | 'read' | 'reconfigure' }): void => {
  const { role } = zab
  if (!isLeader(role)) zab.out.settle(input.id, { type: 'refused', reason: 'not-leader' })
  else if (input.type === 'propose') propose(zab, role, input.id, input.batch)
  else if (input.type === 'read') read(zab, role, input.id, input.level)
  else reconfigure(zab, role, input.id, input.change)
}

const persisted = (zab: ZabState, write: number): void => {
  zab.durable = write
  zab.stable.persisted(write)
  zab.pledge.persisted(write)
  const { role } = zab
  if (role.type !== 'LEADING') return
  if (role.phase !== 'discovery') leaderPersisted(zab, role, write)
  else if (role.epoch !== undefined && write >= role.ownWrite) ownPromisePersisted(zab, role)
}

const peerChanged = (zab: ZabState, id: NodeId, state: 'up' | 'down' | 'lost'): void => {
  if (state === 'up') zab.linked.add(id)
  else if (state === 'down') zab.linked.delete(id)
  const { role } = zab
  if (role.type === 'LOOKING') peerChangedLooking(zab, role, id, state)
  // The leader crashed, or cut this node off: if it lives, it is found again at once.
  else if (role.type === 'FOLLOWING' && state === 'down' && role.leader === id) becomeLooking(zab)
  else if (role.type === 'LEADING' && role.phase !== 'discovery') peerChangedLeading(zab, role, id, state)
}

const receive = (zab: ZabState, from: NodeId, bytes: Uint8Array): void => {
  let message: Message
  try {
    message = decodeMessage(bytes)
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
    zab.malformed++
    return
  }
  dispatch(zab, from, message)
}

/** Whatever a node says carries the epoch that it has promised, or leads, which never falls: so it said this before it made the one that was promised to it. */
const isOutdated = ({ acceptedEpoch, acceptedFrom }: ZabState, from: NodeId, { epoch }: Message): boolean =>
  acceptedFrom === from && epoch < acceptedEpoch

const dispatch = (zab: ZabState, from: NodeId, message: Message): void => {
  if (isOutdated(zab, from, message)) return
  const { role } = zab
  switch (message.type) {
    case 'notification':
      return receiveNotification(zab, from, message)
    case 'ping':
      return receivePing(zab, from, message)
    case 'cepoch':
      if (role.type === 'LOOKING') askedToLead(zab, role, from)
      // What made this node lead is also the first that it learns as the leader.
      if (zab.role.type !== 'LOOKING') receiveCepoch(zab, from, message)
      return
    case 'ackEpoch':
      return receiveAckEpoch(zab, from, message)
    case 'takeOver':
      return giveWay(zab, from, message.epoch)
    case 'ack':
    case 'ackLeader':
    case 'pong':
      if (role.type === 'LEADING' && role.phase !== 'discovery') stepLeading(zab, role, from, message)
      return
    case 'newEpoch':
      if (role.type === 'FOLLOWING' && role.leader === from) acceptNewEpoch(zab, role, message)
      return
    default:
      if (role.type === 'FOLLOWING' && isFromLeader(zab, role, from, message)) stepFollowing(zab, role, message)
  }
}

/**
 * The gate for what a leader tells its followers: it counts only if that leader is the one that is followed, and its epoch the one that was promised to it. Whoever
 * has promised a later epoch to somebody else hears nothing of it any more. What followers tell their leader has a gate in `stepLeading`.
 */
const isFromLeader = (zab: ZabState, role: FollowingRole, from: NodeId, { epoch }: Message): boolean => {
  if (role.leader !== from || epoch !== zab.acceptedEpoch || zab.acceptedFrom !== from) return false
  role.silentTicks = 0
  return true
}

type FromLeader = Extract<
  Message,
  { type: 'trunc' | 'diff' | 'propose' | 'newLeader' | 'commitLeader' | 'commit' | 'handOver' }
>

const stepFollowing = (zab: ZabState, role: FollowingRole, message: FromLeader): void => {
  switch (message.type) {
    case 'trunc':
      return truncate(zab, role, message)
    case 'diff':
      return beginStream(zab, role, message)
    case 'propose':
      return acceptProposals(zab, role, message)
    case 'newLeader':
      return acceptNewLeader(zab, role, message)
    case 'commitLeader':
      return acceptCommitLeader(zab, role, message)
    case 'commit':
      return acceptCommit(zab, role, message.committed)
    case 'handOver':
      if (role.phase === 'broadcast') takeOver(zab, message.epoch)
      return
    default:
      return unreachable(message)
  }
}
