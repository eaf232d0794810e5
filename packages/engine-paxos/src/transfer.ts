import type { NodeId } from '@conclave/interface'
import { isVoter } from './configuration.ts'
import { mayLead, nextBallot, prepare } from './election.ts'
import { renounceLeases } from './leases.ts'
import { isHeard } from './reads.ts'
import type { LeaderRole } from './roles/role.ts'
import type { PaxosState } from './state.ts'

/*
 * The reign is given away: the leader takes no proposals, waits until the target has accepted everything, and asks it to prepare at once. Any acceptor could
 * take over without that, phase 1 would bring it everything; like this it has little to fetch. If nothing comes of it, the leader goes on.
 */

/** Begins a transfer; ignored if the target is no other voter, or something is under way. */
export const transfer = (paxos: PaxosState, role: LeaderRole, to: NodeId): void => {
  if (role.transfer !== undefined || role.stopped || to === paxos.self || !isVoter(paxos.configuration, to)) return
  role.transfer = { to, ticksLeft: paxos.timing.electionTicks, told: false }
}

/** Called once a drain. */
export const pushTransfer = (paxos: PaxosState, role: LeaderRole): void => {
  const { transfer } = role
  const progress = transfer && role.progress.get(transfer.to)
  if (transfer === undefined || transfer.told || progress === undefined || progress.reached < role.next - 1) return
  transfer.told = true
  renounceLeases(role)
  paxos.sendEarly(transfer.to, { type: 'handOver' })
}

export const tickTransfer = (role: LeaderRole): void => {
  if (role.transfer !== undefined && --role.transfer.ticksLeft <= 0) role.transfer = undefined
}

/** The leader of the ballot that is promised here asks this node to take over. */
export const takeOver = (paxos: PaxosState): void => {
  if (paxos.role.type === 'acceptor' && mayLead(paxos))
    prepare(paxos, nextBallot(paxos), { given: paxos.promised, tenure: undefined })
}

/** A leader whose disk is full can get nothing chosen by itself, and one whose disk becomes slow makes others wait: somebody else should lead. */
export const diskChanged = (paxos: PaxosState, state: PaxosState['disk']): void => {
  const worse = state === 'full' || (state === 'slow' && paxos.disk === 'ok')
  paxos.disk = state
  const { role } = paxos
  if (!worse || role.type !== 'leader') return
  const heirs = [...role.progress].filter(
    ([id, progress]) => progress.state === 'stream' && isHeard(paxos, progress) && isVoter(paxos.configuration, id),
  )
  const [best] = heirs.sort(([, a], [, b]) => b.reached - a.reached)
  if (best !== undefined) transfer(paxos, role, best[0])
}
