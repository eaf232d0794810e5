import { assert, type NodeId } from '@conclave/interface'
import type { ZabState } from '../state.ts'
import { leaveRole } from './leave.ts'
import { becomeLooking } from './looking.ts'
import type { FollowingRole, Report } from './role.ts'

/** Takes `leader` for the leader, and tells it what was promised so far (phase 1, CEPOCH). */
export const follow = (zab: ZabState, leader: NodeId): void => {
  leaveRole(zab)
  const role: FollowingRole = {
    type: 'FOLLOWING',
    leader,
    phase: 'discovery',
    known: false,
    silentTicks: 0,
    askIn: 0,
    resumed: false,
  }
  zab.role = role
  ask(zab, role)
}

/** CEPOCH, not more often than heartbeats. */
export const ask = (zab: ZabState, role: FollowingRole): void => {
  if (role.askIn > 0) return
  role.askIn = zab.timing.heartbeatTicks
  const { acceptedEpoch: epoch, acceptedFrom } = zab
  zab.sendEarly(role.leader, { type: 'cepoch', epoch, acceptedFrom })
}

export const tickFollowing = (zab: ZabState, role: FollowingRole): void => {
  const { electionTicks } = zab.timing
  role.silentTicks++
  role.askIn--
  role.resumed = false
  // Somebody who was only voted for has to show that it leads.
  const patience = role.phase === 'discovery' ? Math.ceil(electionTicks / 2) : electionTicks
  if (role.silentTicks < patience) {
    if (!role.known) ask(zab, role)
    return
  }
  if (!role.known) zab.passedOver = { id: role.leader, ticksLeft: electionTicks * 2 }
  becomeLooking(zab)
}

/** A history in short. */
export const reportOf = ({ currentEpoch, history }: ZabState): Report => ({
  currentEpoch,
  last: history.last,
  zxid: history.lastZxid,
})

/** ACK-E: the promise, and where the own history ends. It is not early: what it tells is on disk. */
export const report = (zab: ZabState, role: FollowingRole): void => {
  assert(zab.acceptedFrom === role.leader, 'a history is told to somebody whose epoch was not accepted')
  zab.sendDurable(role.leader, { type: 'ackEpoch', epoch: zab.acceptedEpoch, ...reportOf(zab) })
}

/** What is told at once may cross what the leader says: so not more often than heartbeats, or each would make the other say more. */
export const reportAgain = (zab: ZabState, role: FollowingRole): void => {
  if (!role.known) return ask(zab, role)
  if (role.askIn > 0) return
  role.askIn = zab.timing.heartbeatTicks
  report(zab, role)
}

/** A gap: what follows the own history was lost. The leader is asked to resume there, once a tick. */
export const resume = (zab: ZabState, role: FollowingRole): void => {
  if (role.resumed) return
  role.resumed = true
  const { history, acceptedEpoch: epoch } = zab
  zab.sendDurable(role.leader, { type: 'ack', epoch, position: history.last, resume: true })
}
