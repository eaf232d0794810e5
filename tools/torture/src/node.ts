import {
  concatChunks,
  type Decided,
  type Effects,
  type Engine,
  type EngineFactory,
  type EngineLimits,
  type Input,
  type Member,
  type Membership,
  type Monotonic,
  type NodeId,
  type Send,
  type Settle,
  seededRandom,
} from '@conclave/interface'
import { Disk } from './disk.ts'
import type { Subject } from './subject.ts'
import { Writes } from './writes.ts'

/** A message on its way, parsed for reading. */
export interface Flying<Message> {
  readonly from: NodeId
  readonly to: NodeId
  readonly bytes: Uint8Array
  readonly message: Message
}

/** Roomy: nothing runs into them. */
export const limits: EngineLimits = {
  messageBytes: 1 << 20,
  inflightBytes: 1 << 20,
  undecidedBytes: 1 << 20,
  tailBytes: 1 << 20,
}
export const timing = { heartbeatTicks: 5, electionTicks: 30, tickMillis: 10 }

/** What a node is made as, where that is not the ordinary. */
export interface Make {
  readonly factory?: EngineFactory
  readonly founders?: Membership
  readonly limits?: EngineLimits
  readonly leases?: boolean
  /** What it finds on its disk. */
  readonly disk?: Disk
  /** Of its election jitter. */
  readonly seed?: number
  /** Its clock at the start. */
  readonly now?: number
  readonly witness?: Witness
}

/** Somebody who writes down what happens. */
export interface Witness {
  /** After every turn, before its messages leave. */
  turned(node: Node, inputs: readonly Input[], effects: Effects): void
  /** A message is not delivered. */
  lost(flying: Flying<unknown>): void
}

/** One engine with a disk whose syncs the test may hold back, obeying the durability rule of `Effects.send`. */
export class Node<Message = unknown> {
  readonly id: NodeId
  readonly engine: Engine
  readonly disk: Disk
  readonly decided: Decided[] = []
  readonly settled: Settle[] = []
  readonly effects: Effects[] = []
  /** Its clock, in milliseconds: a tick is ten. */
  now: number
  /** While true, writes stay unsynced and messages that rest on them stay here. */
  holdSyncs = false
  readonly #writes: Writes
  readonly #witness: Witness | undefined

  constructor(
    subject: Subject<Message>,
    id: NodeId,
    founders: Membership,
    out: (flying: Flying<Message>) => void,
    make: Make = {},
  ) {
    const { factory = subject.factory, disk = new Disk(), seed = 1, now = 0, leases = false } = make
    this.id = id
    this.disk = disk
    this.now = now
    this.#witness = make.witness
    this.#writes = new Writes(disk, ({ to, message }: Send) => {
      const bytes = concatChunks(message).slice()
      out({ from: id, to, bytes, message: subject.decode(bytes) })
    })
    this.engine = factory.create({
      self: id,
      founders,
      recovered: disk.state(),
      timing,
      random: seededRandom(seed),
      limits: make.limits ?? limits,
      leases,
    })
    this.turn()
  }

  turn(...inputs: Input[]): void {
    for (const input of inputs) this.engine.step(input, this.now as Monotonic)
    const effects = this.engine.drain()
    this.effects.push(effects)
    this.#witness?.turned(this, inputs, effects)
    this.#writes.take(effects)
    this.decided.push(...effects.decide)
    this.settled.push(...effects.settle)
    if (!this.holdSyncs) this.sync()
  }

  /** Makes everything written durable, and lets go what waited for it. */
  sync(): void {
    const write = this.#writes.sync()
    if (write !== undefined) this.turn({ type: 'persisted', write })
  }

  tick(times = 1): void {
    for (let i = 0; i < times; i++) {
      this.now += timing.tickMillis
      this.turn({ type: 'tick' })
    }
  }

  get unsynced(): number {
    return this.#writes.unsynced
  }
  get status() {
    return this.engine.status()
  }
}

/** The batches that a node has decided. */
export const batches = ({ decided }: Pick<Node, 'decided'>): string[] =>
  decided.flatMap((d) => (d.type === 'batch' ? [new TextDecoder().decode(d.batch)] : []))

/** The members in short: voters by number, learners in brackets, those on their way to voter with a star, outgoing voters after a bar. */
export const membersInShort = ({ members, outgoing }: Membership): string => {
  const inShort = ({ id, role, promote }: Member): string => (role === 'voter' ? id : promote ? `(${id}*)` : `(${id})`)
  return members.map(inShort).join(' ') + (outgoing === undefined ? '' : ` | ${outgoing.join(' ')}`)
}

export const members = ({ status }: Pick<Node, 'status'>): string => membersInShort(status.membership)
