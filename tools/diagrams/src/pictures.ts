import { paxos } from '@conclave/engine-paxos'
import { raft } from '@conclave/engine-raft'
import { zab } from '@conclave/engine-zab'
import type { EngineFactory, NodeId } from '@conclave/interface'
import { viewstamped } from '../../../examples/engine-viewstamped/src/index.ts'
import type { Picture } from './layout.ts'
import { actors, type Message, type Moment, Rehearsal } from './rehearsal.ts'

/** An engine, and what of its runs is shown. */
interface Subject {
  readonly name: string
  readonly factory: EngineFactory
  /** Messages that keep a leader in office and say nothing new. */
  readonly hidden: RegExp
  /** Roles by which a change of the leader is told. */
  readonly roles: RegExp
  /** What of a message's words can be spared. */
  readonly spare?: RegExp
}

const subjects: readonly Subject[] = [
  { name: 'raft', factory: raft, hidden: /^heartbeat/, roles: /candidate|leader/i },
  { name: 'paxos', factory: paxos, hidden: /^heartbeat/, roles: /preparing|leader/ },
  {
    name: 'zab',
    factory: zab,
    hidden: /^(?:ping|pong|FOLLOWING)/,
    roles: /LOOKING|LEADING/,
    spare: / round \d+| \(epoch[^)]*\)|,? commit \d+ epoch \d+|,? epoch \d+(?=$|, [A-Z])/g,
  },
  {
    name: 'viewstamped',
    factory: viewstamped,
    hidden: /^COMMIT/,
    roles: /view-change|primary/,
    spare: / lastNormal \d+ op \d+ commit \d+|^SUSPECT view \d+, /g,
  },
]

/** What is said again in the same words is no news; what is said at one time goes together. */
const shown = (moments: readonly Moment[], { hidden, roles, spare }: Subject, dead?: NodeId): readonly Moment[] => {
  const said = new Set<string>()
  const together = new Map<string, Message>()
  const others: Moment[] = []
  for (const moment of moments) {
    if (moment.type === 'role' && !roles.test(moment.words)) continue
    if (moment.type !== 'message') {
      others.push(moment)
      continue
    }
    const { from, to, at, words } = moment
    const sentence = `${from} ${to} ${words}`
    if (hidden.test(words) || to === dead || said.has(sentence)) continue
    said.add(sentence)
    const key = `${from} ${to} ${at}`
    const before = together.get(key)
    const joined = before === undefined ? words : `${before.words}, ${words}`
    together.set(key, { ...moment, words: spare === undefined ? joined : joined.replaceAll(spare, '') })
  }
  return [...together.values(), ...others]
}

const elected = (subject: Subject): Rehearsal => {
  const rehearsal = new Rehearsal(subject.factory, [0, 1, 2])
  rehearsal.pass(500)
  return rehearsal
}

const write = (subject: Subject): Picture => {
  const rehearsal = elected(subject)
  const { leader } = rehearsal
  rehearsal.record()
  rehearsal.propose('x = 1')
  rehearsal.pass(100)
  return {
    title: `${subject.name}: a write`,
    columns: [leader, ...actors.filter((id) => id !== leader)],
    moments: shown(rehearsal.moments, subject),
  }
}

/** A leader dies when what it has proposed is on its way: it may be decided, and nobody knows. */
const leaderChange = (subject: Subject): Picture => {
  const rehearsal = elected(subject)
  const { leader: dead } = rehearsal
  rehearsal.record()
  rehearsal.propose('x = 2')
  rehearsal.pass(1)
  rehearsal.kill(dead)
  rehearsal.pass(500)
  const { leader } = rehearsal
  return {
    title: `${subject.name}: another leader`,
    columns: [dead, leader, ...actors.filter((id) => id !== dead && id !== leader)],
    moments: shown(rehearsal.moments, subject, dead),
  }
}

/** By file name. */
export const pictures = (): ReadonlyMap<string, Picture> =>
  new Map(
    subjects.flatMap((subject) => [
      [`${subject.name}-write.svg`, write(subject)] as const,
      [`${subject.name}-leader.svg`, leaderChange(subject)] as const,
    ]),
  )
