/** A few replicas on disks of their own, and the messages between them, which arrive when the test says so. */
import {
  concatChunks,
  type Decided,
  type Engine,
  type EngineLimits,
  type Input,
  type JournalOp,
  type JournalState,
  type Membership,
  type Monotonic,
  type NodeId,
  nodeId,
  type RequestId,
  type Send,
  type Settle,
  type Slot,
  seededRandom,
} from '@conclave/interface'
import { viewstamped } from '../src/index.ts'
import { decodeMessage, encodeMessage, type Message } from '../src/messages.ts'

export interface Flying {
  readonly from: NodeId
  readonly to: NodeId
  readonly message: Message
}

export const timing = { heartbeatTicks: 5, electionTicks: 30, tickMillis: 10 }
const roomy: EngineLimits = {
  messageBytes: 1 << 20,
  inflightBytes: 1 << 20,
  undecidedBytes: 1 << 20,
  tailBytes: 1 << 20,
}

/** What the operations of a journal mean. */
class Disk {
  #state: JournalState = { entries: [] }

  apply(ops: readonly JournalOp[]): void {
    for (const op of ops) {
      const { entries } = this.#state
      const kept = (keep: (at: number) => boolean) => entries.filter(({ slot }) => keep(slot))
      if (op.type === 'meta') this.#state = { ...this.#state, meta: op.bytes }
      else if (op.type === 'snapshot') this.#state = { ...this.#state, snapshot: op }
      else if (op.type === 'compactTo') this.#state = { ...this.#state, entries: kept((at) => at > op.slot) }
      else if (op.type === 'truncateFrom') this.#state = { ...this.#state, entries: kept((at) => at < op.slot) }
      else {
        const entry = { slot: op.slot as Slot, bytes: concatChunks(op.bytes) }
        this.#state = { ...this.#state, entries: [...kept((at) => at < op.slot), entry] }
      }
    }
  }

  get state(): JournalState {
    return this.#state
  }
}

/** One replica, under the durability rule of `Effects.send`. */
export class TestReplica {
  readonly id: NodeId
  readonly disk: Disk
  readonly decided: Decided[] = []
  readonly settled: Settle[] = []
  now = 0
  /** While true nothing becomes durable. */
  holdSyncs = false
  readonly #engine: Engine
  readonly #out: (flying: Flying) => void
  #unsynced: { readonly id: number; readonly ops: readonly JournalOp[] }[] = []
  #held: Send[] = []

  constructor(
    id: NodeId,
    founders: Membership,
    limits: EngineLimits,
    out: (flying: Flying) => void,
    disk = new Disk(),
  ) {
    this.id = id
    this.disk = disk
    this.#out = out
    const random = seededRandom(id.charCodeAt(1))
    this.#engine = viewstamped.create({ self: id, founders, recovered: disk.state, timing, random, limits })
    this.turn()
  }

  get status() {
    return this.#engine.status()
  }

  turn(...inputs: readonly Input[]): void {
    for (const input of inputs) this.#engine.step(input, this.now as Monotonic)
    const { write, send, decide, settle } = this.#engine.drain()
    if (write !== undefined) this.#unsynced.push(write)
    for (const each of send) {
      if (each.early === true || this.#unsynced.length === 0) this.#emit(each)
      else this.#held.push(each)
    }
    this.decided.push(...decide)
    this.settled.push(...settle)
    if (!this.holdSyncs) this.sync()
  }

  /** All writes become durable, and what waited for them leaves. */
  sync(): void {
    const last = this.#unsynced.at(-1)
    if (last === undefined) return
    for (const { ops } of this.#unsynced.splice(0)) this.disk.apply(ops)
    for (const send of this.#held.splice(0)) this.#emit(send)
    this.turn({ type: 'persisted', write: last.id as never })
  }

  #emit({ to, message }: Send): void {
    this.#out({ from: this.id, to, message: decodeMessage(concatChunks(message).slice()) })
  }

  receive(from: string, message: Message): void {
    this.turn({ type: 'receive', from: nodeId(from), message: concatChunks(encodeMessage(message)).slice() })
  }

  tick(times = 1): void {
    for (let at = 0; at < times; at++) {
      this.now += timing.tickMillis
      this.turn({ type: 'tick' })
    }
  }

  propose(id: number, text = `request ${id}`): void {
    this.turn({ type: 'propose', id: id as RequestId, batch: new TextEncoder().encode(text) })
  }

  read(id: number): void {
    this.turn({ type: 'read', id: id as RequestId, level: 'linearizable' })
  }

  /** What became of a request. */
  outcome(id: number): Settle['outcome'] | undefined {
    return this.settled.find((settle) => settle.id === id)?.outcome
  }

  /** The batches that it decided, as text. */
  get requests(): readonly string[] {
    return this.decided.flatMap((one) => (one.type === 'batch' ? [new TextDecoder().decode(one.batch)] : []))
  }
}

/** A group of replicas n0, n1, … so that the primary of view v is n(v mod their number). */
export class Group {
  readonly founders: Membership
  readonly #limits: EngineLimits
  readonly #replicas: TestReplica[]
  /** Messages that have left and not arrived. */
  flying: Flying[] = []
  /** All that ever left. */
  readonly said: Flying[] = []
  /** Cut off from all others. */
  readonly away = new Set<NodeId>()

  constructor(count = 3, limits: Partial<EngineLimits> = {}) {
    this.#limits = { ...roomy, ...limits }
    const ids = Array.from({ length: count }, (_, at) => nodeId(`n${at}`))
    this.founders = { members: ids.map((id) => ({ id, name: id, addresses: [], role: 'voter' as const })) }
    this.#replicas = ids.map((id) => this.#born(id))
  }

  #born(id: NodeId, disk?: Disk): TestReplica {
    const out = (flying: Flying): void => {
      this.flying.push(flying)
      this.said.push(flying)
    }
    return new TestReplica(id, this.founders, this.#limits, out, disk)
  }

  at(index: number): TestReplica {
    const replica = this.#replicas[index]
    if (replica === undefined) throw new Error(`there is no replica n${index}`)
    return replica
  }

  /** Starts it anew on its disk: what was not durable is gone. */
  restart(index: number): TestReplica {
    const { id, disk, now } = this.at(index)
    const next = this.#born(id, disk)
    next.now = now
    this.#replicas[index] = next
    return next
  }

  /** Delivers until nothing flies any more; what `lost` says does not arrive. */
  settle(lost: (flying: Flying) => boolean = () => false): void {
    for (let next = this.flying.shift(); next !== undefined; next = this.flying.shift()) {
      const { from, to, message } = next
      if (this.away.has(from) || this.away.has(to) || lost(next)) continue
      this.#replicas.find(({ id }) => id === to)?.receive(from, message)
    }
  }

  /** Time passes for everybody, and every message arrives. */
  pass(ticks: number): void {
    for (let at = 0; at < ticks; at++) {
      for (const replica of this.#replicas) replica.tick()
      this.settle()
    }
  }

  /** Time passes until somebody else, or anybody, is the primary and its view has begun for a majority. */
  primary(but?: TestReplica): TestReplica {
    for (let ticks = 0; ticks < 1000; ticks++) {
      const primary = this.#replicas.find((one) => one !== but && one.status.leading && !this.away.has(one.id))
      const follow = this.#replicas.filter(
        ({ status }) => status.leader === primary?.id && status.epoch === primary?.status.epoch,
      )
      if (primary !== undefined && follow.length * 2 > this.#replicas.length) return primary
      this.pass(1)
    }
    throw new Error('no primary within 1000 ticks')
  }

  /** What was said of this type, by anybody or by one. */
  of<T extends Message['type']>(type: T, from?: TestReplica): (Message & { readonly type: T })[] {
    return this.said.flatMap((one) =>
      one.message.type === type && (from === undefined || one.from === from.id)
        ? [one.message as Message & { readonly type: T }]
        : [],
    )
  }
}
