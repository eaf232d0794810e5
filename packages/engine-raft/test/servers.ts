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
import { RaftEngine } from '../src/engine.ts'
import { decodeMessage, type Message } from '../src/messages.ts'

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

/** What is on a server's disk: the meaning of the journal's operations, in a few lines. */
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

/** What a server is made as. */
export interface Make {
  readonly leases?: boolean
  readonly version?: 1 | 2
  readonly now?: number
}

/** One server with a disk whose syncs the test may hold back, obeying the durability rule of `Effects.send`. */
export class Server {
  readonly id: NodeId
  readonly engine: RaftEngine
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
    make: Make = {},
  ) {
    this.id = id
    this.#out = out
    this.disk = disk
    const { now = 0, leases = false, version = 2 } = make
    this.now = now
    const random = seededRandom(seed)
    const init = { self: id, founders, recovered: disk.state(), timing, random, limits: engineLimits, leases }
    this.engine = new RaftEngine(init, version)
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

/** A few servers and the messages between them, delivered when the test says so. */
export class Servers {
  readonly all = new Map<NodeId, Server>()
  flying: Flying[] = []
  /** Messages that are not delivered. */
  cut: (flying: Flying) => boolean = () => false
  founders: Membership
  readonly #limits: EngineLimits
  readonly #make: Make

  constructor(count: number, engineLimits = limits, make: Make = {}) {
    const ids = Array.from({ length: count }, (_, i) => nodeId(`n${i + 1}`))
    this.#limits = engineLimits
    this.#make = make
    this.founders = { members: ids.map((id) => ({ id, name: id, addresses: [], role: 'voter' })) }
    for (const [i, id] of ids.entries())
      this.all.set(id, new Server(id, this.founders, (m) => this.flying.push(m), new Disk(), engineLimits, i + 1, make))
  }

  /** A server that is to join: it knows who founded the cluster, and is none of them. */
  join(n: number, make = this.#make): Server {
    const id = nodeId(`n${n}`)
    const out = (flying: Flying) => this.flying.push(flying)
    const server = new Server(id, this.founders, out, new Disk(), this.#limits, n, { now: this.at(1).now, ...make })
    this.all.set(id, server)
    return server
  }

  at(n: number): Server {
    const server = this.all.get(nodeId(`n${n}`))
    if (server === undefined) throw new Error(`no server n${n}`)
    return server
  }

  /** Starts a server anew from what is on its disk. */
  restart(n: number): Server {
    return this.replace(n, {})
  }

  /** The same, of another make. */
  replace(n: number, make: Make): Server {
    const { id, disk, now } = this.at(n)
    const out = (flying: Flying) => this.flying.push(flying)
    const made = { ...this.#make, now, ...make }
    const server = new Server(id, this.founders, out, disk, this.#limits, n + 100, made)
    this.all.set(id, server)
    return server
  }

  deliver(flying: Flying): void {
    this.all.get(flying.to)?.turn({ type: 'receive', from: flying.from, message: flying.bytes })
  }

  /** Delivers everything, and what follows from it. */
  settle(): void {
    for (let rounds = 0; this.flying.length > 0; rounds++) {
      if (rounds > 10_000) throw new Error('the servers talk without end')
      const flying = this.flying.shift()
      if (flying !== undefined && !this.cut(flying)) this.deliver(flying)
    }
  }

  /** Ticks everybody, and delivers. */
  rounds(times: number): void {
    for (let i = 0; i < times; i++) {
      for (const server of [...this.all.values()]) server.tick()
      this.settle()
    }
  }

  /** Lets `n` campaign until it leads. */
  elect(n: number): Server {
    const server = this.at(n)
    for (let i = 0; i < 500 && !server.status.leading; i++) {
      for (const other of this.all.values()) if (other !== server && i < 40) other.tick()
      server.tick()
      this.flying = this.flying.filter((m) => m.from === server.id || m.message.type !== 'vote')
      this.settle()
    }
    if (!server.status.leading) throw new Error(`n${n} was not elected`)
    return server
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
export const members = ({ status: { membership } }: Server): string => {
  const inShort = ({ id, role, promote }: Member): string => (role === 'voter' ? id : promote ? `(${id}*)` : `(${id})`)
  const outgoing = membership.outgoing === undefined ? '' : ` | ${membership.outgoing.join(' ')}`
  return membership.members.map(inShort).join(' ') + outgoing
}
export const batches = (server: Server): string[] =>
  server.decided.flatMap((d) => (d.type === 'batch' ? [new TextDecoder().decode(d.batch)] : []))
export const snapshotId = (id: string): SnapshotId => id as SnapshotId
