import {
  concatChunks,
  type Decided,
  type Effects,
  type EngineLimits,
  type Input,
  type JournalOp,
  type JournalState,
  type Member,
  type MemberRole,
  type Membership,
  type MembershipChange,
  type Monotonic,
  type NodeId,
  nodeId,
  type ReadLevel,
  type RequestId,
  type Send,
  type Settle,
  type Slot,
  type SnapshotId,
  seededRandom,
  type WriteId,
} from '@conclave/interface'
import type { Ballot } from '../src/ballot.ts'
import { foundingConfiguration, type QuorumSizes } from '../src/configuration.ts'
import { PaxosEngine } from '../src/engine.ts'
import { type Body, decodeMessage, encodeMessage, encodeSnapshotHeader, type Message } from '../src/messages.ts'

/** A message on its way, parsed for reading. */
export interface Flying {
  readonly from: NodeId
  readonly to: NodeId
  readonly bytes: Uint8Array
  readonly message: Message
}

export const limits: EngineLimits = {
  messageBytes: 1 << 20,
  inflightBytes: 1 << 20,
  undecidedBytes: 1 << 20,
  tailBytes: 1 << 20,
}
export const timing = { heartbeatTicks: 5, electionTicks: 30, tickMillis: 10 }

/** What is on a node's disk: the meaning of the journal's operations, in a few lines. */
export class Disk {
  meta: Uint8Array | undefined
  snapshot: JournalState['snapshot']
  readonly slots = new Map<number, Uint8Array>()

  apply(ops: readonly JournalOp[]): void {
    for (const op of ops) {
      if (op.type === 'meta') this.meta = op.bytes
      else if (op.type === 'put') this.slots.set(op.slot, concatChunks(op.bytes))
      else if (op.type === 'truncateFrom')
        for (const at of [...this.slots.keys()]) at >= op.slot && this.slots.delete(at)
      else if (op.type === 'compactTo') for (const at of [...this.slots.keys()]) at <= op.slot && this.slots.delete(at)
      else this.snapshot = { id: op.id, position: op.position, header: op.header }
    }
  }

  state(): JournalState {
    const entries = [...this.slots].sort(([a], [b]) => a - b).map(([at, bytes]) => ({ slot: at as Slot, bytes }))
    return {
      entries,
      ...(this.meta !== undefined && { meta: this.meta }),
      ...(this.snapshot !== undefined && { snapshot: this.snapshot }),
    }
  }
}

/** One node with a disk whose syncs the test may hold back, obeying the durability rule of `Effects.send`. */
export class Node {
  readonly id: NodeId
  readonly engine: PaxosEngine
  readonly disk: Disk
  readonly decided: Decided[] = []
  readonly settled: Settle[] = []
  readonly effects: Effects[] = []
  /** Its clock, in milliseconds: a tick is ten. */
  now = 0
  /** While true, writes stay unsynced and messages that rest on them stay here. */
  holdSyncs = false
  #unsynced: { id: WriteId; ops: readonly JournalOp[] }[] = []
  #waiting: { after: number; send: Send }[] = []
  #lastWrite = 0
  readonly #out: (flying: Flying) => void

  constructor(
    id: NodeId,
    founders: Membership,
    out: (flying: Flying) => void,
    disk = new Disk(),
    engineLimits = limits,
    seed = 1,
    sizes?: QuorumSizes,
    leases = false,
  ) {
    this.id = id
    this.#out = out
    this.disk = disk
    const random = seededRandom(seed)
    const init = { self: id, founders, recovered: disk.state(), timing, random, limits: engineLimits, leases }
    this.engine = new PaxosEngine(init, sizes)
    this.turn()
  }

  turn(...inputs: Input[]): void {
    for (const input of inputs) this.engine.step(input, this.now as Monotonic)
    const effects = this.engine.drain()
    this.effects.push(effects)
    if (effects.write !== undefined) {
      this.#lastWrite = effects.write.id
      this.#unsynced.push(effects.write)
    }
    for (const send of effects.send) {
      if (send.early === true || this.#unsynced.length === 0) this.#emit(send)
      else this.#waiting.push({ after: this.#lastWrite, send })
    }
    this.decided.push(...effects.decide)
    this.settled.push(...effects.settle)
    if (!this.holdSyncs) this.sync()
  }

  /** Makes everything written durable, and lets go what waited for it. */
  sync(): void {
    const writes = this.#unsynced.splice(0)
    const last = writes.at(-1)
    if (last === undefined) return
    for (const { ops } of writes) this.disk.apply(ops)
    for (const { send } of this.#waiting.splice(0)) this.#emit(send)
    this.turn({ type: 'persisted', write: last.id })
  }

  #emit({ to, message }: Send): void {
    const bytes = concatChunks(message).slice()
    this.#out({ from: this.id, to, bytes, message: decodeMessage(bytes) })
  }

  tick(times = 1): void {
    for (let i = 0; i < times; i++) {
      this.now += timing.tickMillis
      this.turn({ type: 'tick' })
    }
  }

  get status() {
    return this.engine.status()
  }
}

/** A few nodes and the messages between them, delivered when the test says so. */
export class Nodes {
  readonly all = new Map<NodeId, Node>()
  flying: Flying[] = []
  /** Messages that are not delivered. */
  cut: (flying: Flying) => boolean = () => false
  /** Sees every message that is delivered. */
  watch: (flying: Flying) => unknown = () => undefined
  /** Bytes of the largest message so far. */
  largest = 0
  readonly founders: Membership
  readonly #limits: EngineLimits
  readonly #sizes: QuorumSizes | undefined
  readonly #leases: boolean

  constructor(count: number, engineLimits = limits, sizes?: QuorumSizes, leases = false) {
    const ids = Array.from({ length: count }, (_, i) => nodeId(`n${i + 1}`))
    this.#limits = engineLimits
    this.#sizes = sizes
    this.#leases = leases
    this.founders = { members: ids.map((id) => ({ id, name: id, addresses: [], role: 'voter' })) }
    for (const [i, id] of ids.entries())
      this.all.set(
        id,
        new Node(id, this.founders, (m) => this.flying.push(m), new Disk(), engineLimits, i + 1, sizes, leases),
      )
  }

  /** A node that is to join: it knows who founded the cluster, and is none of them. */
  join(n: number): Node {
    const id = nodeId(`n${n}`)
    const node = new Node(
      id,
      this.founders,
      (m) => this.flying.push(m),
      new Disk(),
      this.#limits,
      n,
      this.#sizes,
      this.#leases,
    )
    this.all.set(id, node)
    return node
  }

  at(n: number): Node {
    const node = this.all.get(nodeId(`n${n}`))
    if (node === undefined) throw new Error(`no node n${n}`)
    return node
  }

  /** Starts a node anew from what is on its disk. */
  restart(n: number): Node {
    const { id, disk } = this.at(n)
    const node = new Node(
      id,
      this.founders,
      (m) => this.flying.push(m),
      disk,
      this.#limits,
      n + 100,
      this.#sizes,
      this.#leases,
    )
    this.all.set(id, node)
    return node
  }

  deliver(flying: Flying): void {
    this.watch(flying)
    this.largest = Math.max(this.largest, flying.bytes.length)
    this.all.get(flying.to)?.turn({ type: 'receive', from: flying.from, message: flying.bytes })
  }

  /** Delivers everything, and what follows from it. */
  settle(): void {
    for (let rounds = 0; this.flying.length > 0; rounds++) {
      if (rounds > 10_000) throw new Error('the nodes talk without end')
      const flying = this.flying.shift()
      if (flying !== undefined && !this.cut(flying)) this.deliver(flying)
    }
  }

  /** Ticks everybody, and delivers. */
  rounds(times: number): void {
    for (let i = 0; i < times; i++) {
      for (const node of [...this.all.values()]) node.tick()
      this.settle()
    }
  }

  /** Lets `n` canvass until it leads: nobody else may. Whoever hangs gets no tick. */
  elect(n: number, { hung = 0 } = {}): Node {
    const node = this.at(n)
    for (let i = 0; i < 500 && !node.status.leading; i++) {
      for (const other of this.all.values()) if (![node.id, `n${hung}`].includes(other.id) && i < 40) other.tick()
      node.tick()
      this.flying = this.flying.filter((m) => m.from === node.id || m.message.type !== 'canvass')
      this.settle()
    }
    if (!node.status.leading) throw new Error(`n${n} was not elected`)
    return node
  }

  isolate(...ns: number[]): void {
    const cut = new Set(ns.map((n) => `n${n}`))
    this.cut = ({ from, to }) => cut.has(from) !== cut.has(to)
  }

  heal(): void {
    this.cut = () => false
  }
}

const text = new TextEncoder()
export const propose = (id: number, batch = `batch ${id}`): Input => ({
  type: 'propose',
  id: id as RequestId,
  batch: text.encode(batch),
})
export const read = (id: number, level: ReadLevel = 'linearizable'): Input => ({
  type: 'read',
  id: id as RequestId,
  level,
})
export const peer = (n: number, role: MemberRole = 'voter'): Member => ({
  id: nodeId(`n${n}`),
  name: `n${n}`,
  addresses: [],
  role,
})
export const reconfigure = (id: number, change: MembershipChange): Input => ({
  type: 'reconfigure',
  id: id as RequestId,
  change,
})
export const add = (id: number, n: number, role: MemberRole): Input =>
  reconfigure(id, { type: 'add', member: peer(n), role })
export const remove = (id: number, n: number): Input => reconfigure(id, { type: 'remove', id: nodeId(`n${n}`) })
export const transfer = (n: number): Input => ({ type: 'transfer', to: nodeId(`n${n}`) })
/** The members in short: voters by number, learners in brackets, those on their way to voter with a star, outgoing voters after a bar. */
export const members = ({ status: { membership } }: Node): string => {
  const inShort = ({ id, role, promote }: Member): string => (role === 'voter' ? id : promote ? `(${id}*)` : `(${id})`)
  const outgoing = membership.outgoing === undefined ? '' : ` | ${membership.outgoing.join(' ')}`
  return membership.members.map(inShort).join(' ') + outgoing
}
export const batches = (node: Node): string[] =>
  node.decided.flatMap((d) => (d.type === 'batch' ? [new TextDecoder().decode(d.batch)] : []))
export const snapshotId = (id: string): SnapshotId => id as SnapshotId
export const ballotOf = (round: number, ordinal: number): Ballot => ({ round, ordinal })

/** Hands a node one message, of the founders' configuration unless told otherwise. */
export const give = (
  node: Node,
  from: string,
  body: Body,
  ballot: Ballot,
  head: { readonly decided?: number; readonly configuration?: number } = {},
): void => {
  const message: Message = { configuration: 0, decided: 0, ...head, ...body, ballot }
  node.turn({ type: 'receive', from: nodeId(from), message: concatChunks(encodeMessage(message)) })
}

/** One node of several, n1, and what it says. */
export const lone = (count = 3, engineLimits = limits) => {
  const said: Flying[] = []
  const node = new Node(nodeId('n1'), new Nodes(count).founders, (m) => said.push(m), new Disk(), engineLimits)
  const reply = (): Message => {
    const last = said.at(-1)
    if (last === undefined) throw new Error('nothing was said')
    return last.message
  }
  return { node, said, reply }
}

/** The header of a snapshot that a node would send. */
export const headerOf = (node: Node, position: number, ballot = ballotOf(1, 2)): Uint8Array => {
  const configuration = foundingConfiguration(node.status.membership)
  return encodeSnapshotHeader({ ballot, position, reign: ballot, configuration })
}
