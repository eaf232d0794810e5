import { paxos } from '@conclave/engine-paxos'
import { raft } from '@conclave/engine-raft'
import type { EngineFactory, NodeId } from '@conclave/interface'
import type { Picture } from './picture.ts'
import { type Moment, Rehearsal } from './rehearsal.ts'

/** An engine, and what is left out of its pictures: messages that keep a leader in office and say nothing new. */
interface Subject {
  readonly name: string
  readonly factory: EngineFactory
  readonly hidden: RegExp
  /** Roles by which a change of the leader is told. */
  readonly roles: RegExp
}

const subjects: readonly Subject[] = [
  { name: 'raft', factory: raft, hidden: /^heartbeat/, roles: /candidate|leader/i },
  { name: 'paxos', factory: paxos, hidden: /^heartbeat/, roles: /preparing|leader/ },
]

const without = (moments: readonly Moment[], { hidden, roles }: Subject, dead?: NodeId): readonly Moment[] =>
  moments.filter((moment) => {
    if (moment.type === 'role') return roles.test(moment.words)
    return moment.type !== 'message' || (!hidden.test(moment.words) && moment.to !== dead)
  })

const elected = (subject: Subject): Rehearsal => {
  const rehearsal = new Rehearsal(subject.factory, [0, 1, 2])
  rehearsal.pass(500)
  return rehearsal
}

const normalCase = (subject: Subject): Picture => {
  const rehearsal = elected(subject)
  rehearsal.record()
  rehearsal.propose('x = 1')
  rehearsal.pass(100)
  return { title: `${subject.name}: a write`, moments: without(rehearsal.moments, subject) }
}

/** A leader dies when what it has proposed is on its way: it may be decided, and nobody knows. */
const leaderChange = (subject: Subject): Picture => {
  const rehearsal = elected(subject)
  const { leader } = rehearsal
  rehearsal.record()
  rehearsal.propose('x = 2')
  rehearsal.pass(1)
  rehearsal.kill(leader)
  rehearsal.pass(500)
  return { title: `${subject.name}: another leader`, moments: without(rehearsal.moments, subject, leader) }
}

/** By file name. */
export const pictures = (): ReadonlyMap<string, Picture> =>
  new Map(
    subjects.flatMap((subject) => [
      [`${subject.name}-write.svg`, normalCase(subject)] as const,
      [`${subject.name}-leader.svg`, leaderChange(subject)] as const,
    ]),
  )
