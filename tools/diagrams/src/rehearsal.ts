import {
  concatChunks,
  type Effects,
  type Engine,
  type EngineFactory,
  type Input,
  type Monotonic,
  type NodeId,
  nodeId,
  requestId,
  type Send,
  seededRandom,
} from '@conclave/interface'

// What a diagram shows of a run. Times in milliseconds since the recording began.

export interface Message {
  readonly type: 'message'
  readonly from: NodeId
  readonly to: NodeId
  readonly at: number
  readonly words: string
}
export interface Written {
  readonly type: 'written'
  readonly node: NodeId
  readonly from: number
  readonly at: number
}
export interface Note {
  readonly type: 'role' | 'decides' | 'dies' | 'asked' | 'told'
  readonly node: NodeId
  readonly at: number
  readonly words: string
}
export type Moment = Message | Written | Note

/** A message is so long under way, and a write so long until it is durable. */
export const flightMillis = 10
export const syncMillis = 4
const tickMillis = 10

interface Actor {
  readonly engine: Engine
  readonly held: { readonly send: Send; readonly after: number }[]
  issued: number
  durable: number
  diskFreeAt: number
  role: string
}

const founders = {
  members: ['A', 'B', 'C'].map((name) => ({ id: nodeId(name), name, addresses: [], role: 'voter' as const })),
}
export const actors = founders.members.map(({ id }) => id)

/** Three engines in a world without accidents, under the durability rule, on virtual time. The same script gives the same moments. */
export class Rehearsal {
  readonly #factory: EngineFactory
  readonly #actors = new Map<NodeId, Actor>()
  readonly #agenda: { readonly at: number; readonly order: number; run(): void }[] = []
  readonly #requests = new Map<number, string>()
  #moments: Moment[] = []
  #now = 0
  #since = 0
  #order = 0

  /** @param seeds of the random numbers of A, B and C: they say who campaigns first. */
  constructor(factory: EngineFactory, seeds: readonly number[]) {
    this.#factory = factory
    for (const [at, self] of actors.entries()) {
      const engine = factory.create({
        self,
        founders,
        recovered: { entries: [] },
        timing: { heartbeatTicks: 5, electionTicks: 20, tickMillis },
        limits: { messageBytes: 1 << 16, inflightBytes: 1 << 16, undecidedBytes: 1 << 20, tailBytes: 1 << 20 },
        random: seededRandom(seeds[at] ?? at),
      })
      const { role } = engine.status()
      this.#actors.set(self, { engine, held: [], issued: 0, durable: 0, diskFreeAt: 0, role })
      this.#turn(self)
      for (const peer of actors) if (peer !== self) this.#turn(self, { type: 'peer', id: peer, state: 'up' })
      this.#tickLater(self)
    }
  }

  /** Forgets what was seen so far: what comes is the diagram. */
  record(): void {
    this.#moments = []
    this.#since = this.#now
  }

  get moments(): readonly Moment[] {
    return this.#moments
  }

  get leader(): NodeId {
    for (const [id, { engine }] of this.#actors) if (engine.status().leading) return id
    throw new Error('nobody leads')
  }

  pass(millis: number): void {
    const end = this.#now + millis
    for (;;) {
      this.#agenda.sort((a, b) => a.at - b.at || a.order - b.order)
      const [next] = this.#agenda
      if (next === undefined || next.at > end) break
      this.#agenda.shift()
      this.#now = next.at
      next.run()
    }
    this.#now = end
  }

  propose(words: string): void {
    const id = requestId(this.#requests.size + 1)
    this.#requests.set(id, words)
    const { leader } = this
    this.#see({ type: 'asked', node: leader, at: this.#at, words })
    this.#turn(leader, { type: 'propose', id, batch: new TextEncoder().encode(words) })
  }

  kill(id: NodeId): void {
    this.#actors.delete(id)
    this.#see({ type: 'dies', node: id, at: this.#at, words: 'dies' })
  }

  get #at(): number {
    return this.#now - this.#since
  }

  #see(moment: Moment): void {
    this.#moments.push(moment)
  }

  #later(millis: number, run: () => void): void {
    this.#agenda.push({ at: this.#now + millis, order: this.#order++, run })
  }

  #tickLater(id: NodeId): void {
    this.#later(tickMillis, () => {
      if (!this.#actors.has(id)) return
      this.#turn(id, { type: 'tick' })
      this.#tickLater(id)
    })
  }

  #turn(id: NodeId, ...inputs: Input[]): void {
    const actor = this.#actors.get(id)
    if (actor === undefined) return
    for (const input of inputs) actor.engine.step(input, this.#now as Monotonic)
    const effects = actor.engine.drain()
    this.#tellRole(id, actor)
    if (effects.write !== undefined) this.#write(id, actor, effects.write)
    for (const send of effects.send) {
      if (send.early === true || actor.issued === actor.durable) this.#send(id, send)
      else actor.held.push({ send, after: actor.issued })
    }
    this.#tellResults(id, effects)
  }

  #tellRole(id: NodeId, actor: Actor): void {
    const { role } = actor.engine.status()
    if (role === actor.role) return
    actor.role = role
    this.#see({ type: 'role', node: id, at: this.#at, words: role })
  }

  #tellResults(id: NodeId, { decide, settle }: Effects): void {
    const entries = decide.map((entry) => {
      const words = entry.type === 'batch' ? new TextDecoder().decode(entry.batch) : entry.type
      return `${entry.position}: ${words}`
    })
    if (entries.length > 0) this.#see({ type: 'decides', node: id, at: this.#at, words: entries.join(', ') })
    for (const { outcome } of settle)
      this.#see({ type: 'told', node: id, at: this.#at, words: outcome.type === 'decided' ? 'done' : outcome.type })
  }

  #write(id: NodeId, actor: Actor, { id: write }: NonNullable<Effects['write']>): void {
    const begins = Math.max(this.#now, actor.diskFreeAt)
    actor.issued = write
    actor.diskFreeAt = begins + syncMillis
    this.#later(actor.diskFreeAt - this.#now, () => {
      if (this.#actors.get(id) !== actor) return
      actor.durable = write
      this.#see({ type: 'written', node: id, from: begins - this.#since, at: this.#at })
      while (actor.held[0] !== undefined && actor.held[0].after <= write) {
        const held = actor.held.shift()
        if (held !== undefined) this.#send(id, held.send)
      }
      this.#turn(id, { type: 'persisted', write })
    })
  }

  #send(from: NodeId, { to, message }: Send): void {
    const bytes = concatChunks(message)
    this.#see({ type: 'message', from, to, at: this.#at, words: this.#factory.describe?.(bytes) ?? '' })
    this.#later(flightMillis, () => this.#turn(to, { type: 'receive', from, message: bytes }))
  }
}
