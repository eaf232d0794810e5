import type { ApplyContext, Decided, Effects, Engine, EngineFactory, NodeId, StateMachine } from '@conclave/interface'

/** 53-bit rolling hash of strings and bytes: not for security, only to tell runs apart. */
export class Digest {
  #low = 0xdeadbeef
  #high = 0x41c6ce57

  add(text: string): void {
    for (let at = 0; at < text.length; at++) this.#mix(text.charCodeAt(at))
    this.#mix(0x100)
  }
  bytes(bytes: Uint8Array): void {
    for (const byte of bytes) this.#mix(byte)
    this.#mix(0x101)
  }
  #mix(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x9e3779b1)
    this.#high = Math.imul(this.#high ^ value, 0x5f356495) ^ (this.#low >>> 13)
  }
  get text(): string {
    return [this.#high, this.#low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
  }
}

const textOf = (decided: Decided): string => {
  const digest = new Digest()
  if (decided.type === 'batch') digest.bytes(decided.batch)
  return `${decided.type} of ${decided.epoch} ${decided.type === 'batch' ? digest.text : decided.type === 'reign' ? decided.leader : ''}`
}

/** A property does not hold. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

/** What must hold of all nodes together, over all their lives. The first violation is kept. */
export class Checks {
  readonly digest = new Digest()
  violation: Violation | undefined
  /** Told of every first news of a leader. */
  elected: (leader: NodeId) => void = () => {}
  readonly #now: () => number
  readonly #leaders = new Map<bigint, NodeId>()
  readonly #decided: string[] = []
  readonly #states = new Map<number, string>()
  readonly #applied = new Map<string, { readonly position: number; readonly reply: string }>()
  /** Revision of the last acknowledged write. */
  ackedRevision = 0n
  ackedPosition = 0
  /** The last lines, for the one who looks for the cause. */
  readonly lines: string[] = []

  constructor(now: () => number) {
    this.#now = now
  }

  note(line: string): void {
    this.digest.add(line)
    this.lines.push(`${this.#now().toFixed(2)} ${line}`)
    if (this.lines.length > 4_000) this.lines.splice(0, 2_000)
  }

  broken(what: string): void {
    this.note(`VIOLATION ${what}`)
    this.violation ??= new Violation(what)
  }

  get reigns(): number {
    return this.#leaders.size
  }

  get decidedTo(): number {
    return this.#decided.length
  }

  effects(id: NodeId, { leader, decide }: Effects): void {
    if (leader?.id !== undefined) this.#leader(id, leader.epoch, leader.id)
    for (const decided of decide) this.#decide(id, decided)
  }

  /** Election safety: at most one leader in an epoch. */
  #leader(told: NodeId, epoch: bigint, leader: NodeId): void {
    const known = this.#leaders.get(epoch)
    if (known === undefined) {
      this.#leaders.set(epoch, leader)
      this.note(`${leader} leads ${epoch}, says ${told}`)
      this.elected(leader)
    } else if (known !== leader)
      this.broken(`election safety: ${told} says that ${leader} leads epoch ${epoch}, which ${known} led`)
  }

  /** State machine safety: one entry at a position, on every node and for ever. */
  #decide(id: NodeId, decided: Decided): void {
    const text = textOf(decided)
    const known = this.#decided[decided.position - 1]
    if (known === undefined) {
      if (decided.position !== this.#decided.length + 1)
        this.broken(`${id} decided ${decided.position} when nobody had decided ${this.#decided.length + 1}`)
      this.#decided[decided.position - 1] = text
      this.note(`decided ${decided.position}: ${text}`)
    } else if (known !== text)
      this.broken(`state machine safety: at ${decided.position} ${id} decided ${text}, before it was ${known}`)
  }

  /** Equal positions, equal states. */
  state(id: NodeId, position: number, hash: string): void {
    const known = this.#states.get(position)
    if (known === undefined) this.#states.set(position, hash)
    else if (known !== hash) this.broken(`the state of ${id} at ${position} is ${hash}, elsewhere it was ${known}`)
  }

  /** Nothing is applied twice: a command, unique in its bytes, has one position for ever. */
  applied(id: NodeId, command: string, position: number, reply: string): void {
    const known = this.#applied.get(command)
    if (known === undefined) this.#applied.set(command, { position, reply })
    else if (known.position !== position)
      this.broken(`applied twice: ${id} applied ${command} at ${position}, and it was applied at ${known.position}`)
    else if (known.reply !== reply) this.broken(`${id} replied ${reply} to ${command}, elsewhere it was ${known.reply}`)
  }

  /** An acknowledged command was applied, and with this reply. */
  acknowledged(command: string, reply: string): void {
    this.note(`acknowledged ${reply}`)
    const known = this.#applied.get(command)
    if (known === undefined) return this.broken(`${command} was acknowledged and never applied`)
    if (known.reply !== reply) this.broken(`${command} was acknowledged with ${reply}, applied with ${known.reply}`)
    this.ackedPosition = Math.max(this.ackedPosition, known.position)
  }
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

export { hex }

/** The same engine, whose effects are looked at. */
export const watchedEngine = (factory: EngineFactory, checks: Checks): EngineFactory => ({
  ...factory,
  create: (init) => {
    const engine = factory.create(init)
    const watched: Engine = {
      supports: engine.supports,
      step: (input, now) => engine.step(input, now),
      drain: () => {
        const effects = engine.drain()
        checks.effects(init.self, effects)
        return effects
      },
      status: () => engine.status(),
    }
    return watched
  },
})

/** The same machine, whose commands are looked at. */
export const watchedMachine = (machine: StateMachine, id: NodeId, checks: Checks): StateMachine => ({
  name: machine.name,
  apply: (command: Uint8Array, context: ApplyContext) => {
    const reply = machine.apply(command, context)
    checks.applied(id, hex(command), context.position, hex(reply))
    return reply
  },
  query: (query) => machine.query(query),
  capture: () => machine.capture(),
  restore: (body) => machine.restore(body),
  hash: () => machine.hash(),
})
