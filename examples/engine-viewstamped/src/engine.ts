import {
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
import { followCommit, followLog, heardPrimary, receiveNewState, sendPrepareOk } from './backup.ts'
import { nameCaptured, snapshotSent, tickErrands } from './checkpoint.ts'
import { installReceived, judgeOffer } from './install.ts'
import { decodeMessage, type Message } from './messages.ts'
import {
  hearsQuorum,
  ownWritePersisted,
  propose,
  receivePrepareOk,
  sendCommit,
  sendPrepares,
  standDown,
} from './primary.ts'
import { beginReadRound, cancelRead, receiveCommitOk } from './reads.ts'
import { epochOf, ReplicaState } from './state.ts'
import { receiveGetState, repeatTransfer } from './state-transfer.ts'
import {
  collect,
  enterView,
  primaryLinkDown,
  receiveDoViewChange,
  receiveStartViewChange,
  receiveSuspect,
  repeatViewChange,
  startViewChange,
  suspect,
} from './view-change.ts'

/** One replica. See the package's documentation. */
export class ViewstampedEngine implements Engine {
  readonly supports: Supports = {
    snapshots: true,
    reads: true,
    membership: false,
    learners: false,
    transfer: false,
    leases: false,
  }
  readonly #replica: ReplicaState

  constructor(init: EngineInit) {
    this.#replica = new ReplicaState(init)
  }

  step(input: Input, now: Monotonic): void {
    const r = this.#replica
    r.now = now
    switch (input.type) {
      case 'tick':
        return tick(r)
      case 'receive':
        return receive(r, input.from, input.message)
      case 'peer':
        return peerChanged(r, input.id, input.state)
      case 'propose':
        return r.primary === undefined ? refuse(r, input.id) : propose(r, r.primary, input.id, input.batch)
      case 'read':
        if (r.primary === undefined) return refuse(r, input.id)
        r.primary.readsWaiting.push(input.id)
        return
      case 'cancel':
        if (r.primary !== undefined) cancelRead(r.primary, input.id)
        return
      case 'reconfigure':
        return r.settle(input.id, { type: 'refused', reason: 'unsupported' })
      case 'transfer':
        return // not offered: the next primary is who is next
      case 'persisted':
        r.durable = input.write
        if (r.primary === undefined) collect(r)
        else ownWritePersisted(r, r.primary)
        return
      case 'disk':
        return diskChanged(r, input.state)
      case 'captured':
        return nameCaptured(r, input.snapshot)
      case 'snapshotOffered':
        return judgeOffer(r, input.from, input.header)
      case 'snapshotReceived':
        return installReceived(r, input.id, input.header)
      case 'snapshotSent':
        return snapshotSent(r, input.to, input.id)
      default:
        return unreachable(input)
    }
  }

  drain(): Effects {
    const r = this.#replica
    if (r.primary !== undefined) {
      beginReadRound(r, r.primary)
      sendPrepares(r, r.primary)
    } else sendPrepareOk(r)
    r.evictTail()
    return r.drain()
  }

  status(): Status {
    const r = this.#replica
    const { membership } = r.configuration
    const inView = r.primary === undefined ? 'backup' : 'primary'
    return {
      role: r.status === 'normal' ? inView : r.status,
      leading: r.primary !== undefined,
      epoch: epochOf(r.view),
      ...(r.leader !== undefined && { leader: r.leader }),
      decided: position(r.commit),
      last: position(r.log.last),
      snapshot: position(r.snapshot?.position ?? 0),
      membership,
      self: membership.members.find(({ id }) => id === r.self)?.role ?? 'none',
      malformed: r.malformed,
      detail: { lastNormal: r.lastNormal, matched: r.matched, tailFrom: r.log.base + 1 },
    }
  }
}

const refuse = (r: ReplicaState, id: RequestId): void => r.settle(id, { type: 'refused', reason: 'not-leader' })

/** Gives up leading; the others follow the suspicion of their own primary at once. */
const abdicate = (r: ReplicaState): void => {
  standDown(r)
  suspect(r)
}

const tick = (r: ReplicaState): void => {
  if (!r.configuration.has(r.self)) return
  tickErrands(r)
  if (r.primary !== undefined && !hearsQuorum(r, r.primary)) abdicate(r)
  else if (r.primary === undefined && --r.suspectIn <= 0) suspect(r)
  r.beatIn--
  if (r.beatIn > 0) return
  r.beatIn = r.timing.heartbeatTicks
  if (r.primary !== undefined) for (const id of r.primary.backups.keys()) sendCommit(r, r.primary, id)
  else {
    repeatViewChange(r)
    repeatTransfer(r)
  }
}

const peerChanged = (r: ReplicaState, id: NodeId, state: 'up' | 'down' | 'lost'): void => {
  if (r.primary !== undefined && state === 'up') sendCommit(r, r.primary, id)
  else if (r.primary === undefined && state === 'down' && id === r.leader) primaryLinkDown(r)
}

const diskChanged = (r: ReplicaState, state: 'ok' | 'slow' | 'full'): void => {
  if (state === 'full' && r.disk !== 'full' && r.primary !== undefined) abdicate(r)
  r.disk = state
}

// ---- messages -----------------------------------------------------------------------------------------------------------

const receive = (r: ReplicaState, from: NodeId, bytes: Uint8Array): void => {
  let message: Message
  try {
    message = decodeMessage(bytes)
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
    r.malformed++
    return
  }
  const { configuration, self } = r
  if (from === self || !configuration.has(from) || !configuration.has(self)) return
  if (passesGate(r, from, message)) dispatch(r, from, message)
}

/**
 * The one place where view-numbers are compared: "replicas only process normal protocol messages containing a view-number that matches the view-number they
 * know"; an earlier view's message is dropped, a later view's makes this replica enter that view first.
 */
const passesGate = (r: ReplicaState, from: NodeId, message: Message): boolean => {
  if (message.type === 'suspect') return true // it is of no view yet
  if (message.view < r.view) return false
  const primary = r.configuration.primaryOf(message.view)
  switch (message.type) {
    case 'startView':
    case 'prepare':
    case 'commit':
      if (from !== primary) return false
      if (message.view > r.view) enterView(r, message.view)
      return true
    case 'startViewChange':
      if (message.view > r.view) startViewChange(r, message.view)
      return true
    case 'doViewChange':
      if (r.self !== primary) return false
      if (message.view > r.view) startViewChange(r, message.view)
      return true
    default:
      return message.view === r.view // answers and questions of a view that this replica is not in
  }
}

const dispatch = (r: ReplicaState, from: NodeId, message: Message): void => {
  switch (message.type) {
    case 'suspect':
      return receiveSuspect(r, from, message.view)
    case 'startViewChange':
      return receiveStartViewChange(r, from)
    case 'doViewChange':
      return receiveDoViewChange(r, from, message)
    case 'startView':
    case 'prepare':
      heardPrimary(r)
      return followLog(r, message.part, message.commit)
    case 'commit':
      heardPrimary(r)
      return followCommit(r, from, message)
    case 'prepareOk':
      return r.primary && receivePrepareOk(r, r.primary, from, message.op)
    case 'commitOk':
      return r.primary && receiveCommitOk(r, r.primary, from, message.round)
    case 'getState':
      return receiveGetState(r, from, message.after)
    case 'newState':
      return receiveNewState(r, from, message)
  }
}
