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
  type RequestId,
  type Status,
  type Supports,
  unreachable,
} from '@conclave/interface'
import { compareBallots, epochOf, sameBallot, showBallot } from './ballot.ts'
import { learn, otherConfiguration, receiveWatermark } from './catch-up.ts'
import { isVoter, type QuorumSizes } from './configuration.ts'
import {
  judgeCanvass,
  judgePrepare,
  ownPromisePersisted,
  receiveCanvassReply,
  receiveNack,
  receivePromise,
  tickProposer,
} from './election.ts'
import { reconfigure, tickMembership } from './membership.ts'
import { decodeMessage, type Message } from './messages.ts'
import { beginReadRound, cancelRead, read, receiveHeartbeatReply } from './reads.ts'
import { ownAcceptancesPersisted, receiveAccepted, replicate } from './replication.ts'
import { acceptHeartbeat, acceptSlots, tickAcceptor } from './roles/acceptor.ts'
import { becomeAcceptor, electionTicks, heardLeader, leaderLinkDown } from './roles/follow.ts'
import { peerChanged, propose, tickLeader } from './roles/leader.ts'
import type { Tenure } from './roles/role.ts'
import { installReceived, judgeOffer, nameCaptured, neededByPeers, snapshotSent } from './snapshot.ts'
import { PaxosState } from './state.ts'
import { enterNext, tickFarewell } from './succession.ts'
import { diskChanged, pushTransfer, takeOver, tickTransfer, transfer } from './transfer.ts'

/** One node: acceptor and learner all the time, and a proposer when it has to be. See the package's documentation. */
export class PaxosEngine implements Engine {
  readonly supports: Supports = {
    snapshots: true,
    reads: true,
    membership: true,
    learners: true,
    transfer: true,
    leases: true,
  }
  readonly #paxos: PaxosState

  constructor(init: EngineInit, sizes?: QuorumSizes) {
    assert(
      init.timing.electionTicks >= init.timing.heartbeatTicks * 4,
      'the election time-out must be at least four heartbeats',
    )
    this.#paxos = new PaxosState(init, sizes, { type: 'acceptor', electionIn: 0 })
    this.#paxos.role = { type: 'acceptor', electionIn: electionTicks(this.#paxos) }
  }

  step(input: Input, now: Monotonic): void {
    this.#paxos.now = now
    this.#paxos.pledge.at(now)
    take(this.#paxos, input)
    enterNext(this.#paxos)
  }

  drain(): Effects {
    const paxos = this.#paxos
    const { role } = paxos
    if (role.type === 'leader') {
      beginReadRound(paxos, role)
      pushTransfer(paxos, role)
      replicate(paxos, role)
      paxos.evictTail(neededByPeers(role))
    } else paxos.evictTail(Number.POSITIVE_INFINITY)
    const { leader, promised } = paxos
    const news = { epoch: epochOf(promised), ...(leader !== undefined && { id: leader }) }
    return paxos.out.drain(paxos.takeMeta(), news)
  }

  status(): Status {
    const paxos = this.#paxos
    const { role, configuration } = paxos
    return {
      role: role.type,
      leading: tenureOf(paxos) !== undefined,
      epoch: epochOf(paxos.promised),
      ...(paxos.leader !== undefined && { leader: paxos.leader }),
      decided: position(paxos.decided),
      last: position(role.type === 'leader' ? role.next - 1 : paxos.reached),
      snapshot: position(paxos.snapshot?.position ?? 0),
      membership: paxos.membership,
      self: configuration.membership.members.find((member) => member.id === paxos.self)?.role ?? 'none',
      malformed: paxos.malformed,
      detail: detail(paxos),
    }
  }
}

const detail = (paxos: PaxosState): Status['detail'] => {
  const { role } = paxos
  const figures: Record<string, number | string> = {
    promised: showBallot(paxos.promised),
    reign: showBallot(paxos.reign),
    configuration: paxos.configuration.number,
    ordinal: paxos.configuration.ordinals.get(paxos.self) ?? 0,
    tailFrom: paxos.log.base + 1,
    tailBytes: paxos.tailBytes,
    top: paxos.log.top,
  }
  if (role.type !== 'leader') return figures
  for (const [id, { state, delivered, reached, next }] of role.progress)
    figures[`peer ${id}`] = `${state} delivered ${delivered} accepted ${reached} next ${next}`
  return figures
}

/** Of a leader, also while it prepares in the next configuration. */
const tenureOf = ({ role }: PaxosState): Tenure | undefined =>
  role.type === 'leader' || role.type === 'preparing' ? role.tenure : undefined

const take = (paxos: PaxosState, input: Input): void => {
  const { role } = paxos
  switch (input.type) {
    case 'tick':
      return tick(paxos)
    case 'receive':
      return receive(paxos, input.from, input.message)
    case 'peer':
      if (role.type === 'leader') peerChanged(paxos, role, input.id, input.state)
      else if (role.type === 'acceptor' && input.state === 'down' && input.id === paxos.leader)
        leaderLinkDown(paxos, role)
      return
    case 'propose':
    case 'read':
    case 'reconfigure':
      return ask(paxos, input)
    case 'cancel':
      return cancelRead(paxos, input.id)
    case 'transfer':
      if (role.type === 'leader') transfer(paxos, role, input.to)
      return
    case 'persisted':
      paxos.pledge.persisted(input.write)
      if (role.type === 'preparing' && input.write >= role.ownWrite && !role.ownPromised)
        ownPromisePersisted(paxos, role)
      else if (role.type === 'leader') ownAcceptancesPersisted(paxos, role, input.write)
      return
    case 'disk':
      return diskChanged(paxos, input.state)
    case 'captured':
      return nameCaptured(paxos, input.snapshot)
    case 'snapshotOffered':
      return judgeOffer(paxos, input.from, input.header)
    case 'snapshotReceived':
      return installReceived(paxos, input.from, input.id, input.header)
    case 'snapshotSent':
      if (role.type === 'leader') snapshotSent(role, input.to, input.id, input.ok)
      return
    default:
      return unreachable(input)
  }
}

/** What only the leader takes. */
const ask = (paxos: PaxosState, input: Input & { type: 'propose' | 'read' | 'reconfigure' }): void => {
  const { role } = paxos
  const tenure = tenureOf(paxos)
  const refuse = (id: RequestId, reason: 'not-leader' | 'in-progress'): void =>
    paxos.out.settle(id, { type: 'refused', reason })
  if (tenure === undefined || (role.type !== 'leader' && role.type !== 'preparing'))
    return refuse(input.id, 'not-leader')
  if (input.type === 'propose') propose(paxos, role, tenure, input.id, input.batch)
  else if (input.type === 'read') read(paxos, tenure, input.id, input.level)
  else if (role.type === 'leader') reconfigure(paxos, role, input.id, input.change)
  else refuse(input.id, 'in-progress')
}

const tick = (paxos: PaxosState): void => {
  if (paxos.helpIn > 0) paxos.helpIn--
  tickFarewell(paxos)
  const { role } = paxos
  if (role.type !== 'leader') {
    paxos.sinceLeader++
    if (role.type === 'acceptor') tickAcceptor(paxos, role)
    else tickProposer(paxos, role)
    return
  }
  tickTransfer(role)
  tickMembership(paxos, role)
  tickLeader(paxos, role)
}

const receive = (paxos: PaxosState, from: NodeId, bytes: Uint8Array): void => {
  let message: Message
  try {
    message = decodeMessage(bytes)
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
    paxos.malformed++
    return
  }
  // What is decided is decided, in every configuration and ballot.
  const isFact = message.type === 'learn' || message.type === 'watermark'
  if (!isFact && message.configuration !== paxos.configuration.number) otherConfiguration(paxos, from, message)
  else if (passesGate(paxos, from, message)) dispatch(paxos, from, message)
}

/**
 * The one place where ballots are compared (Paxos Made Simple, section 2.2). After it, what a proposer asks is in the ballot that is promised here,
 * or is a canvass or prepare of one that may be; an answer belongs to the present ballot; and whoever speaks as leader of a higher one leads.
 */
const passesGate = (paxos: PaxosState, from: NodeId, message: Message): boolean => {
  const { ballot } = message
  switch (message.type) {
    case 'canvass':
      return owns(paxos, from, message)
    case 'prepare':
    case 'accept':
    case 'heartbeat': {
      if (!owns(paxos, from, message)) return false
      const order = compareBallots(ballot, paxos.promised)
      if (order < 0) paxos.sendEarly(from, { type: 'nack', refused: ballot })
      if (order < 0 || message.type === 'prepare') return order >= 0
      if (order > 0) {
        becomeAcceptor(paxos)
        paxos.promise(ballot) // accepting a ballot promises it too
      }
      heardLeader(paxos, from)
      return true
    }
    case 'promise':
    case 'accepted':
    case 'heartbeatReply':
      return sameBallot(ballot, paxos.promised)
    case 'handOver':
      return sameBallot(ballot, paxos.promised) && from === paxos.leader
    case 'canvassReply':
    case 'nack':
    case 'learn':
    case 'watermark':
      return true
  }
}

/** Nobody speaks in the ballot of another, and only voters propose. */
const owns = ({ configuration, self }: PaxosState, from: NodeId, { ballot }: Message): boolean =>
  from !== self && isVoter(configuration, from) && configuration.ordinals.get(from) === ballot.ordinal

const dispatch = (paxos: PaxosState, from: NodeId, message: Message): void => {
  const { role } = paxos
  switch (message.type) {
    case 'canvass':
      return judgeCanvass(paxos, from, message)
    case 'canvassReply':
      return receiveCanvassReply(paxos, from, message)
    case 'prepare':
      return judgePrepare(paxos, from, message)
    case 'promise':
      return receivePromise(paxos, from, message)
    case 'nack':
      return receiveNack(paxos, message)
    case 'accept':
      return acceptSlots(paxos, from, message)
    case 'accepted':
      if (role.type === 'leader') receiveAccepted(paxos, role, from, message)
      return
    case 'heartbeat':
      return acceptHeartbeat(paxos, from, message)
    case 'heartbeatReply':
      if (role.type === 'leader') receiveHeartbeatReply(paxos, role, from, message)
      return
    case 'handOver':
      return takeOver(paxos)
    case 'learn':
      return learn(paxos, from, message)
    case 'watermark':
      return receiveWatermark(paxos, from, message)
  }
}
