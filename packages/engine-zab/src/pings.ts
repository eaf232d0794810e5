import type { NodeId } from '@conclave/interface'
import { acceptCommit } from './broadcast.ts'
import type { MessageOf } from './messages.ts'
import { ask, follow, reportAgain, resume } from './roles/following.ts'
import { notify } from './roles/looking.ts'
import type { FollowingRole } from './roles/role.ts'
import type { ZabState } from './state.ts'

/** A leader is there: one that is followed, one to follow, or one that was deposed and does not know it. */
export const receivePing = (zab: ZabState, from: NodeId, ping: MessageOf<'ping'>): void => {
  const { role } = zab
  if (role.type === 'FOLLOWING' && role.leader === from) return answerPing(zab, from, ping)
  if (!ping.established) return
  if (role.type === 'LOOKING') return follow(zab, from)
  // Two leaders that each had a quorum: the later epoch counts. One of the same epoch is the present one, whatever this node was about to try.
  const { acceptedEpoch, leader } = zab
  if (ping.epoch > acceptedEpoch || (ping.epoch === acceptedEpoch && leader === undefined)) return follow(zab, from)
  if (ping.epoch < acceptedEpoch) notify(zab, from)
}

const answerPing = (zab: ZabState, from: NodeId, ping: MessageOf<'ping'>): void => {
  const { role } = zab
  if (role.type !== 'FOLLOWING') return
  role.silentTicks = 0
  const isMine = ping.epoch === zab.acceptedEpoch && zab.acceptedFrom === from
  if (!isMine) return ask(zab, role)
  if (ping.established) acceptCommit(zab, role, ping.committed)
  if (role.phase === 'discovery')
    reportAgain(zab, role) // ACK-E, TRUNC or DIFF was lost
  // COMMIT-LD was lost.
  else if (role.phase === 'synchronization' && ping.established && zab.currentEpoch === ping.epoch)
    zab.sendDurable(from, { type: 'ackLeader', epoch: ping.epoch })
  if (ping.sent > 0) whereItStands(zab, role, ping.sent)
  const pong = { type: 'pong', epoch: ping.epoch, round: ping.round, pledged: ping.lease } as const
  if (!ping.lease || zab.pledgeTo(from)) zab.sendEarly(from, pong)
  else zab.sendDurable(from, pong)
}

const whereItStands = (zab: ZabState, role: FollowingRole, sent: number): void => {
  const { last } = zab.history
  if (role.phase === 'discovery') return
  if (last < sent) resume(zab, role)
  else zab.sendDurable(role.leader, { type: 'ack', epoch: zab.acceptedEpoch, position: last, resume: false })
}
