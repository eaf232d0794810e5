import { assert, type NodeId } from '@conclave/interface'
import { voteResult, votersOf } from '@conclave/quorum'
import { type Ballot, compareBallots, higherBallot, mostRound, noBallot, sameBallot } from './ballot.ts'
import { advance } from './delivery.ts'
import { type MessageOf, promiseHeadBytes, type Report, reportOverhead } from './messages.ts'
import { backOff, becomeAcceptor, electionTicks } from './roles/follow.ts'
import { becomeLeader } from './roles/leader.ts'
import { leaveRole } from './roles/leave.ts'
import type { Adopted, CanvassingRole, PreparingRole, Promised, Tenure } from './roles/role.ts'
import type { PaxosState } from './state.ts'

/** A voter may, unless its disk has no room for its own promise. */
export const mayLead = (paxos: PaxosState): boolean => paxos.isVoter && paxos.disk !== 'full'

/** Above everything promised, used or heard of: the round is on disk before the prepare leaves, so no ballot is used twice, a restart included. */
export const nextBallot = (paxos: PaxosState): Ballot => {
  const ordinal = paxos.configuration.ordinals.get(paxos.self)
  const round = Math.max(paxos.promised.round, paxos.seen.round) + 1
  assert(ordinal !== undefined, 'only a member proposes')
  assert(round <= mostRound, 'there is no round left')
  return { round, ordinal }
}

// ---- the proposer: canvass, then phase 1 ----------------------------------------------------------------------------------------------

/** No leader is heard. Ask first whether a prepare would be promised, so that a node that was cut off raises no ballot and disturbs nobody. */
export const startCanvass = (paxos: PaxosState): void => {
  paxos.leader = undefined
  const ballot = nextBallot(paxos)
  const role: CanvassingRole = {
    type: 'canvassing',
    electionIn: electionTicks(paxos),
    ballot,
    votes: new Map([[paxos.self, true]]),
  }
  paxos.role = role
  for (const id of votersOf(paxos.quorums.phase1))
    if (id !== paxos.self) paxos.sendEarly(id, { type: 'canvass' }, ballot)
  countCanvass(paxos, role)
}

export const receiveCanvassReply = (paxos: PaxosState, from: NodeId, reply: MessageOf<'canvassReply'>): void => {
  const { role } = paxos
  if (!reply.granted) paxos.seen = higherBallot(paxos.seen, reply.ballot)
  if (role.type !== 'canvassing' || !sameBallot(reply.asked, role.ballot)) return
  role.votes.set(from, reply.granted)
  countCanvass(paxos, role)
}

const countCanvass = (paxos: PaxosState, role: CanvassingRole): void => {
  const result = voteResult(paxos.quorums.phase1, (id) => role.votes.get(id))
  if (result === 'won' && !paxos.pledge.forbids(paxos.self, noBallot, paxos.now))
    prepare(paxos, role.ballot, { given: noBallot, tenure: undefined })
  else if (result !== 'pending') becomeAcceptor(paxos, electionTicks(paxos))
}

/**
 * Phase 1a, once for every slot from the first undecided one on (Paxos Made Simple, section 3). A leader that goes on in a new configuration
 * prepares there with the ballot that it has: in this configuration it was never used.
 */
export const prepare = (
  paxos: PaxosState,
  ballot: Ballot,
  { given, tenure }: { readonly given: Ballot; readonly tenure: Tenure | undefined },
): void => {
  paxos.promise(ballot)
  paxos.leader = tenure === undefined ? undefined : paxos.self
  const role: PreparingRole = {
    type: 'preparing',
    electionIn: electionTicks(paxos),
    ballot,
    from: paxos.decided + 1,
    given,
    ownWrite: paxos.out.nextWrite,
    ownPromised: false,
    promises: new Map(),
    adopted: new Map(),
    repeatIn: paxos.timing.heartbeatTicks,
    tenure,
  }
  paxos.role = role
  for (let slot = role.from; slot <= paxos.log.top; slot++) {
    const accepted = paxos.log.get(slot)
    if (accepted !== undefined) role.adopted.set(slot, { ...accepted, chosen: false })
  }
  askForPromises(paxos, role)
}

/** Asks everyone whose promise is not complete for the page that is missing. Waits for the disk: the ballot is there before anybody hears of it. */
const askForPromises = (paxos: PaxosState, role: PreparingRole): void => {
  for (const id of votersOf(paxos.quorums.phase1)) {
    const promised = role.promises.get(id)
    if (id !== paxos.self && promised?.complete !== true) askForPage(paxos, role, id, promised?.cursor ?? role.from)
  }
}

const askForPage = (paxos: PaxosState, { from, given }: PreparingRole, id: NodeId, cursor: number): void =>
  paxos.sendDurable(id, { type: 'prepare', from, cursor, given })

export const receivePromise = (paxos: PaxosState, from: NodeId, message: MessageOf<'promise'>): void => {
  const { role } = paxos
  if (role.type !== 'preparing' || !sameBallot(message.ballot, role.ballot)) return // of another ballot, or too late
  const promised: Promised = role.promises.get(from) ?? { cursor: role.from, complete: false, decided: 0 }
  if (promised.complete || message.cursor !== promised.cursor) return // a double
  for (const report of message.reports) adopt(paxos, role, report, report.slot <= message.decided)
  promised.decided = message.decided
  promised.complete = message.next === 0
  promised.cursor = message.next
  role.promises.set(from, promised)
  if (promised.complete) countPromises(paxos, role)
  else askForPage(paxos, role, from, message.next)
}

/** Of several values for a slot, the one of the highest ballot may have been chosen (Paxos Made Simple, P2c); a decided one was. */
const adopt = (paxos: PaxosState, role: PreparingRole, report: Report, chosen: boolean): void => {
  const { slot, ballot, value } = report
  if (slot <= paxos.decided) return
  const before = role.adopted.get(slot)
  const better: Adopted = { ballot, value, chosen }
  if (before === undefined || (!before.chosen && (chosen || compareBallots(ballot, before.ballot) > 0)))
    role.adopted.set(slot, better)
}

/** The write that records the own promise is durable: only now does it count. */
export const ownPromisePersisted = (paxos: PaxosState, role: PreparingRole): void => {
  role.ownPromised = true
  countPromises(paxos, role)
}

const countPromises = (paxos: PaxosState, role: PreparingRole): void => {
  const complete = (id: NodeId): boolean | undefined =>
    (id === paxos.self ? role.ownPromised : role.promises.get(id)?.complete === true) || undefined
  if (voteResult(paxos.quorums.phase1, complete) !== 'won') return
  learnAdopted(paxos, role)
  if (paxos.ended === undefined) becomeLeader(paxos, role)
  else becomeAcceptor(paxos) // what it prepared for has ended
}

/** What an acceptor of the quorum has decided is decided: it is delivered, not proposed again. */
const learnAdopted = (paxos: PaxosState, { adopted }: PreparingRole): void => {
  for (;;) {
    const slot = paxos.decided + 1
    const known = adopted.get(slot)
    if (known?.chosen !== true || paxos.ended !== undefined) return
    paxos.accept(slot, known.value)
    advance(paxos, (candidate) => candidate === slot)
  }
}

export const tickProposer = (paxos: PaxosState, role: CanvassingRole | PreparingRole): void => {
  role.electionIn--
  if (role.type === 'preparing' && --role.repeatIn <= 0) {
    role.repeatIn = paxos.timing.heartbeatTicks
    askForPromises(paxos, role)
  }
  if (role.electionIn > 0) return
  // Its disk does not answer: another ballot would get no further, but depose whoever leads meanwhile.
  if (role.type === 'preparing' && !role.ownPromised) role.electionIn = electionTicks(paxos)
  else if (mayLead(paxos)) {
    leaveRole(paxos)
    startCanvass(paxos)
  } else becomeAcceptor(paxos)
}

/** A higher ballot is promised somewhere. Whoever lost a duel waits for a random time before it tries again. */
export const receiveNack = (paxos: PaxosState, message: MessageOf<'nack'>): void => {
  const { role } = paxos
  paxos.seen = higherBallot(paxos.seen, message.ballot)
  const mine = (role.type === 'preparing' || role.type === 'leader') && sameBallot(message.refused, role.ballot)
  if (mine && compareBallots(message.ballot, role.ballot) > 0) becomeAcceptor(paxos, backOff(paxos))
}

// ---- the acceptor's side ----------------------------------------------------------------------------------------------------------------

/**
 * Whether a leader was heard so lately that no prepare is promised: a node that was cut off, or removed, must not depose a leader that serves. The
 * reset of the leader's link waives it.
 */
export const leaderIsSettled = (paxos: PaxosState): boolean =>
  paxos.role.type === 'leader' ||
  (paxos.leader !== undefined && !paxos.leaderGone && paxos.sinceLeader < paxos.timing.electionTicks)

/** Judges a canvass: it changes nothing. Refused too if the candidate lacks slots that this node could not report any more. */
export const judgeCanvass = (paxos: PaxosState, from: NodeId, { ballot, decided }: MessageOf<'canvass'>): void => {
  const granted =
    compareBallots(ballot, paxos.promised) > 0 &&
    decided >= paxos.log.base &&
    !leaderIsSettled(paxos) &&
    !paxos.pledge.forbids(from, noBallot, paxos.now)
  paxos.sendEarly(from, { type: 'canvassReply', asked: ballot, granted })
}

/**
 * Phase 1b (Paxos Made Simple, section 2.2), for every slot from `from` on at once: accepts nothing in a lower ballot any more, and reports what it has
 * accepted, what it knows to be decided included. Leaving decided slots out would let a proposer that lags behind propose something else for them; an
 * acceptor that has them no longer in memory makes no promise at all, and leaves the lead to who needs no report of them.
 * @param ballot has passed the gate: nothing higher is promised.
 */
export const judgePrepare = (paxos: PaxosState, from: NodeId, message: MessageOf<'prepare'>): void => {
  const { ballot, cursor, given } = message
  const first = compareBallots(ballot, paxos.promised) > 0
  const waived = sameBallot(given, paxos.promised)
  if (first && leaderIsSettled(paxos) && !waived) return // it will ask again, if this leader is not heard any more
  if (first && paxos.pledge.forbids(from, given, paxos.now)) return
  if (message.from <= paxos.log.base || cursor < message.from) return
  if (first) {
    becomeAcceptor(paxos)
    paxos.promise(ballot)
  }
  const { reports, next } = page(paxos, cursor)
  paxos.sendDurable(from, { type: 'promise', cursor, next, reports })
}

/** What was accepted from `cursor` on, as much as fits into one message. `next` is where the page after it begins; 0 if it is the last. */
const page = (paxos: PaxosState, cursor: number): { reports: Report[]; next: number } => {
  const { log, limits } = paxos
  const reports: Report[] = []
  let bytes = promiseHeadBytes
  for (let slot = cursor; slot <= log.top; slot++) {
    const accepted = log.get(slot)
    if (accepted === undefined) continue
    const size = reportOverhead + accepted.value.size
    if (reports.length > 0 && bytes + size > limits.messageBytes) return { reports, next: slot }
    bytes += size
    reports.push({ slot, ...accepted })
  }
  return { reports, next: 0 }
}
