import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { paxos } from '@conclave/engine-paxos'
import { raft } from '@conclave/engine-raft'
import { zab } from '@conclave/engine-zab'
import type { EngineFactory, NodeId } from '@conclave/interface'
import type { Picture } from './layout.ts'
import { actors, type Message, type Moment, Rehearsal } from './rehearsal.ts'

/** What of an engine's runs is shown. An engine among the examples says it in `diagram.ts`, its default export. */
export interface Shown {
  readonly name: string
  /** Messages that keep a leader in office and say nothing new. */
  readonly hidden: RegExp
  /** Roles by which a change of the leader is told. */
  readonly roles: RegExp
  /** What of a message's words can be spared. */
  readonly spare?: RegExp
}

interface Subject extends Shown {
  readonly factory: EngineFactory
}

const builtIn: readonly Subject[] = [
  { name: 'raft', factory: raft, hidden: /^heartbeat/, roles: /candidate|leader/i },
  { name: 'paxos', factory: paxos, hidden: /^heartbeat/, roles: /preparing|leader/ },
  {
    name: 'zab',
    factory: zab,
    hidden: /^(?:ping|pong|FOLLOWING)/,
    roles: /LOOKING|LEADING/,
    spare: / round \d+| \(epoch[^)]*\)|,? commit \d+ epoch \d+|,? epoch \d+(?=$|, [A-Z])/g,
  },
]

const examples = fileURLToPath(new URL('../../../examples/', import.meta.url))

/** Engines that are examples of engines from elsewhere. */
const fromElsewhere = (): Promise<readonly Subject[]> =>
  Promise.all(
    readdirSync(examples)
      .filter((folder) => folder.startsWith('engine-') && existsSync(`${examples}${folder}/diagram.ts`))
      .map(async (folder) => {
        const { default: factory }: { default: EngineFactory } = await import(`${examples}${folder}/src/index.ts`)
        const { default: shown }: { default: Shown } = await import(`${examples}${folder}/diagram.ts`)
        return { ...shown, factory }
      }),
  )

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
export const pictures = async (): Promise<ReadonlyMap<string, Picture>> =>
  new Map(
    [...builtIn, ...(await fromElsewhere())].flatMap((subject) => [
      [`${subject.name}-write.svg`, write(subject)] as const,
      [`${subject.name}-leader.svg`, leaderChange(subject)] as const,
    ]),
  )
