import { assert, type NodeId, position, type RequestId } from '@conclave/interface'
import { sameBallot } from '../ballot.ts'
import { mostOverhead } from '../messages.ts'
import { type Progress, startProgress } from '../progress.ts'
import { broadcastHeartbeat, isHeard, quorumIsHeard, sendHeartbeat } from '../reads.ts'
import { mostSlotsInFlight, probe, proposeValue } from '../replication.ts'
import type { PaxosState } from '../state.ts'
import { encodeValueHeader, makeReign, makeValue, noop, valueHeaderBytes, valueKind } from '../value.ts'
import { becomeAcceptor } from './follow.ts'
import type { LeaderRole, PreparingRole, Tenure } from './role.ts'

/** Bytes around a batch in its largest message. */
const overhead = mostOverhead + valueHeaderBytes

/**
 * Phase 1 is done. What may have been chosen is proposed again in the new ballot, holes are filled with no-ops, and after them comes the entry that
 * opens the reign: only when it is delivered is everything older known. A stop-sign among what was found ends the configuration: nothing follows it.
 */
export const becomeLeader = (paxos: PaxosState, preparing: PreparingRole): void => {
  const tenure = preparing.tenure ?? startTenure(preparing)
  const role: LeaderRole = {
    type: 'leader',
    ballot: preparing.ballot,
    tenure,
    progress: startFeeding(paxos, preparing),
    tally: new Map(),
    unsynced: [],
    next: paxos.decided + 1,
    stopped: false,
    readRounds: [],
    round: 0,
    leaseRounds: [],
    renounced: false,
    heartbeatIn: 0,
    transfer: undefined,
  }
  paxos.role = role
  paxos.leader = paxos.self
  paxos.leaderGone = false
  paxos.duels = 0
  let top = paxos.decided
  for (const slot of preparing.adopted.keys()) top = Math.max(top, slot)
  while (role.next <= top && !role.stopped) proposeValue(paxos, role, preparing.adopted.get(role.next)?.value ?? noop)
  if (!role.stopped && !sameBallot(paxos.reign, role.ballot))
    proposeValue(paxos, role, makeReign(role.ballot, paxos.self))
  settleChange(paxos, tenure)
  if (!role.stopped) proposeHeld(paxos, role)
  broadcastHeartbeat(paxos, role) // at once, to prevent other candidates
}

const startTenure = ({ ballot }: PreparingRole): Tenure => ({
  ballot,
  batchHeader: encodeValueHeader(ballot, valueKind.batch),
  proposals: [],
  held: [],
  undecidedBytes: 0,
  readsWaiting: [],
  change: undefined,
})

/** Who has promised is fed from where it stands; of the others it is assumed that they have everything decided, until they say otherwise. */
const startFeeding = (paxos: PaxosState, { promises }: PreparingRole): Map<NodeId, Progress> => {
  const progress = new Map<NodeId, Progress>()
  for (const { id } of paxos.configuration.membership.members) {
    if (id === paxos.self) continue
    const delivered = Math.min(promises.get(id)?.decided ?? 0, paxos.decided)
    progress.set(id, startProgress(delivered, (promises.has(id) ? delivered : paxos.decided) + 1))
  }
  return progress
}

/** A quorum of the configuration that was asked for has promised in it: whoever left it is not needed any more. */
const settleChange = (paxos: PaxosState, tenure: Tenure): void => {
  const { change } = tenure
  if (change === undefined) return
  assert(change.slot <= paxos.decided, 'a change is settled before its stop-sign is delivered')
  tenure.change = undefined
  if (change.id !== undefined) paxos.out.settle(change.id, { type: 'decided', position: position(change.slot) })
}

const proposeHeld = (paxos: PaxosState, role: LeaderRole): void => {
  const { tenure } = role
  const held = tenure.held
  tenure.held = []
  for (const { id, batch } of held) proposeBatch(paxos, role, id, batch)
}

const proposeBatch = (paxos: PaxosState, role: LeaderRole, id: RequestId, batch: Uint8Array): void => {
  const slot = proposeValue(paxos, role, makeValue(role.ballot, valueKind.batch, batch, role.tenure.batchHeader))
  role.tenure.proposals.push({ id, slot, size: batch.length })
}

/** A proposal of this reign. While a stop-sign waits to be decided it is held for the next configuration. */
export const propose = (
  paxos: PaxosState,
  role: LeaderRole | PreparingRole,
  tenure: Tenure,
  id: RequestId,
  batch: Uint8Array,
): void => {
  const size = batch.length
  const { undecidedBytes, messageBytes } = paxos.limits
  const refuse = (reason: 'invalid' | 'disk-full' | 'overloaded' | 'not-ready'): void =>
    paxos.out.settle(id, { type: 'refused', reason })
  if (overhead + size > messageBytes) return refuse('invalid')
  if (paxos.disk === 'full') return refuse('disk-full')
  if (role.type === 'leader' && role.transfer !== undefined) return refuse('not-ready')
  const slots = role.type === 'leader' ? role.next - paxos.decided : 0
  if (slots > mostSlotsInFlight || tenure.held.length > mostSlotsInFlight) return refuse('overloaded')
  if (tenure.undecidedBytes > 0 && tenure.undecidedBytes + size > undecidedBytes) return refuse('overloaded')
  tenure.undecidedBytes += size
  if (role.type === 'leader' && !role.stopped) proposeBatch(paxos, role, id, batch)
  else tenure.held.push({ id, batch })
}

export const tickLeader = (paxos: PaxosState, role: LeaderRole): void => {
  for (const [id, progress] of role.progress) tickPeer(paxos, role, id, progress)
  if (!quorumIsHeard(paxos, role)) return becomeAcceptor(paxos)
  role.heartbeatIn--
  if (role.heartbeatIn <= 0) broadcastHeartbeat(paxos, role)
}

const tickPeer = (paxos: PaxosState, role: LeaderRole, id: NodeId, progress: Progress): void => {
  progress.silentTicks++
  if (!isHeard(paxos, progress) && progress.state !== 'snapshot') progress.keep = Number.POSITIVE_INFINITY // it is gone
  if (progress.snapshotIn > 0) progress.snapshotIn--
  // An idle leader tells soon that the last slots are decided; a busy one tells it with the next accept.
  if (progress.told < paxos.decided) sendHeartbeat(paxos, role, id)
  const waits = progress.state === 'probe' || (progress.state === 'stream' && progress.inflight.size > 0)
  progress.stalledTicks = waits ? progress.stalledTicks + 1 : 0
  if (progress.stalledTicks < paxos.timing.heartbeatTicks * 2) return
  progress.stalledTicks = 0
  probe(paxos, id, progress)
}

/**
 * `up`: ask at once how far it is. `down` and `lost`: what was in flight is gone; nothing is sent until the peer answers. The first report of lost frames is
 * followed by a probe, the further ones by those of the tick, or a peer that takes nothing would be sent the same again and again.
 */
export const peerChanged = (paxos: PaxosState, role: LeaderRole, id: NodeId, state: 'up' | 'down' | 'lost'): void => {
  const progress = role.progress.get(id)
  if (progress === undefined) return
  if (state === 'up') {
    progress.silentTicks = 0
    progress.snapshotIn = 0
    sendHeartbeat(paxos, role, id)
  }
  if (progress.state === 'snapshot') return // the transfer tells of its own end
  const first = progress.state === 'stream'
  progress.state = 'probe'
  if (state === 'up' || (state === 'lost' && first)) probe(paxos, id, progress)
}
