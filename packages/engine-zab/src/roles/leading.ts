import type { NodeId } from '@conclave/interface'
import { noteCommitted, receiveAck } from '../broadcast.ts'
import { pause, remind } from '../feeding.ts'
import { tickMembership } from '../membership.ts'
import type { MessageOf } from '../messages.ts'
import { heard, type Progress } from '../progress.ts'
import { broadcastPing, isHeard, quorumIsHeard, receivePong, sendPing } from '../reads.ts'
import type { ZabState } from '../state.ts'
import { ownLeaderPersisted, receiveAckLeader } from '../synchronization.ts'
import { handOver, tickTransfer } from '../transfer.ts'
import { becomeLooking } from './looking.ts'
import type { LeaderRole } from './role.ts'

export const tickLeading = (zab: ZabState, role: LeaderRole): void => {
  for (const [id, progress] of role.progress) tickPeer(zab, role, id, progress)
  if (!quorumIsHeard(zab, role)) return becomeLooking(zab)
  tickTransfer(zab, role)
  if (role.phase === 'broadcast') {
    tickMembership(zab, role)
    if (zab.disk === 'full') handOver(zab, role)
  }
  role.pingIn--
  if (role.pingIn <= 0) broadcastPing(zab, role)
}

const tickPeer = (zab: ZabState, role: LeaderRole, id: NodeId, progress: Progress): void => {
  progress.silentTicks++
  progress.resumed = false
  if (progress.snapshotIn > 0) progress.snapshotIn--
  if (!isHeard(zab, progress) && progress.state !== 'snapshot') progress.keep = Number.POSITIVE_INFINITY // it is gone
  const { state, inflight, follows } = progress
  const waits = state === 'discovery' || state === 'paused' || (state === 'stream' && (!inflight.isEmpty || !follows))
  progress.stalledTicks = waits ? progress.stalledTicks + 1 : 0
  if (progress.stalledTicks >= zab.timing.heartbeatTicks * 2) remind(zab, role, id, progress)
}

/** The own writes up to `write` are durable. */
export const leaderPersisted = (zab: ZabState, role: LeaderRole, write: number): void => {
  if (!role.ownLeader && write >= role.ownWrite) ownLeaderPersisted(zab, role)
  noteCommitted(zab, role)
}

export const stepLeading = (
  zab: ZabState,
  role: LeaderRole,
  from: NodeId,
  message: MessageOf<'ack' | 'ackLeader' | 'pong'>,
): void => {
  const progress = role.progress.get(from)
  if (progress === undefined || message.epoch !== role.epoch) return
  heard(progress)
  if (message.type === 'ack') receiveAck(zab, role, progress, message)
  else if (message.type === 'pong') receivePong(zab, role, progress, message)
  else if (progress.state === 'stream' || progress.state === 'paused') receiveAckLeader(zab, role, from, progress)
}

/** `up`: tell it who leads. `down` and `lost`: what was in flight is gone; the first report is followed by a question, the further ones by those of the tick. */
export const peerChangedLeading = (
  zab: ZabState,
  role: LeaderRole,
  id: NodeId,
  state: 'up' | 'down' | 'lost',
): void => {
  const progress = role.progress.get(id)
  if (progress === undefined) return
  if (state === 'up') {
    progress.snapshotIn = 0
    sendPing(zab, role, id)
    return
  }
  if (progress.state !== 'stream') return
  pause(progress)
  if (state === 'lost') remind(zab, role, id, progress)
}
