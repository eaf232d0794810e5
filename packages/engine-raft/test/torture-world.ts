import {
  concatChunks,
  type Decided,
  type Effects,
  type EngineLimits,
  type Input,
  type JournalOp,
  type Membership,
  type Monotonic,
  type NodeId,
  nodeId,
  type Position,
  type Random,
  type RequestId,
  type Send,
  type SnapshotId,
  seededRandom,
} from '@conclave/interface'
import { RaftEngine } from '../src/engine.ts'
import { Disk, timing } from './servers.ts'

/** Small, so that windows fill, tails are evicted, and peers need snapshots all the time. */
export const tight: EngineLimits = { messageBytes: 500, inflightBytes: 700, undecidedBytes: 2_000, tailBytes: 600 }

/** What holds for any run of any consensus engine; it throws at the first thing that does not. */
export class Invariants {
  /** What was ever decided at a position, anywhere. */
  readonly truth: string[] = []
  restored = 0
  readonly #epochs: bigint[] = []
  readonly #leaders = new Map<bigint, NodeId>()
  readonly #decidedBatches = new Set<string>()
  readonly #refused = new Set<string>()

  get decided(): number {
    return Math.max(0, this.truth.length - 1)
  }

  leads(id: NodeId, epoch: bigint): void {
    const other = this.#leaders.get(epoch) ?? id
    check(other === id, `${id} and ${other} both lead in term ${epoch}`)
    this.#leaders.set(epoch, id)
  }

  decide(id: NodeId, decided: Decided): void {
    const { position, epoch } = decided
    const is = `${epoch} ${decided.type} ${decided.type === 'batch' ? text(decided.batch) : ''}`
    const was = this.truth[position]
    check(was === undefined || was === is, `${position} was decided as "${was}", and as "${is}" at ${id}`)
    check(was !== undefined || position === this.decided + 1, `${id} decides ${position}, after ${this.decided}`)
    check(epoch >= (this.#epochs[position - 1] ?? 0n), `the epoch falls at ${position}`)
    this.truth[position] = is
    this.#epochs[position] = epoch
    if (decided.type !== 'batch') return
    check(!this.#refused.has(text(decided.batch)), `"${text(decided.batch)}" was refused, and is decided`)
    this.#decidedBatches.add(text(decided.batch))
  }

  settledDecided(batch: string, position: number): void {
    check(
      this.truth[position]?.endsWith(` batch ${batch}`) === true,
      `"${batch}" is not what is decided at ${position}`,
    )
  }

  refuse(batch: string): void {
    check(!this.#decidedBatches.has(batch), `"${batch}" is decided, and refused`)
    this.#refused.add(batch)
  }

  refused(batch: string): boolean {
    return this.#refused.has(batch)
  }

  restore(id: NodeId, position: number, epoch: bigint): void {
    this.restored++
    check(this.#epochs[position] === epoch, `${id} restores ${position} of term ${epoch}, which was never decided`)
  }
}

export class Violation extends Error {
  override readonly name = 'Violation'
}
const check = (holds: boolean, message: string): void => {
  if (!holds) throw new Violation(message)
}
const decoder = new TextDecoder()
const text = (bytes: Uint8Array): string => decoder.decode(bytes)

export interface Packet {
  readonly from: NodeId
  readonly to: NodeId
  readonly bytes: Uint8Array
}

/** One transfer of a snapshot body; it ends for its sender in exactly one `snapshotSent`. */
export interface Transfer {
  readonly from: NodeId
  readonly to: NodeId
  readonly id: SnapshotId
  readonly header: Uint8Array
  state: 'asked' | 'offered' | 'accepted' | 'received' | 'failed'
}

/** What `Host` may cheat about, to see that the invariants notice. */
export type Cheat = 'none' | 'messages leave before their writes are durable' | 'a crash takes the end of the log'

/** A server with its disk: writes become durable later and one by one, messages wait for them, a crash loses the rest. */
export class Host {
  readonly id: NodeId
  readonly disk = new Disk()
  up = true
  readonly out: Packet[] = []
  readonly asked: Transfer[] = []
  readonly answers: { readonly from: NodeId; readonly accept: boolean }[] = []
  wantsCapture = false
  captures: { readonly id: SnapshotId; readonly position: Position }[] = []
  unsynced: { id: number; ops: readonly JournalOp[] }[] = []
  /** The position that is decided here and applied. */
  applied = 0
  #engine: RaftEngine
  #waiting: { after: number; send: Send }[] = []
  #written = 0
  #proposed = new Map<number, string>()
  #reads = new Map<number, number>()
  #nextRequest = 1
  #incarnation = 0
  readonly #world: {
    readonly founders: Membership
    readonly seed: number
    readonly invariants: Invariants
    readonly cheat: Cheat
  }

  constructor(id: NodeId, world: { founders: Membership; seed: number; invariants: Invariants; cheat: Cheat }) {
    this.id = id
    this.#world = world
    this.#engine = this.#start()
    this.turn()
  }

  get status() {
    return this.#engine.status()
  }

  #start(): RaftEngine {
    const { founders, seed } = this.#world
    this.applied = this.disk.snapshot?.position ?? 0
    const random = seededRandom(seed * 1_000 + this.#incarnation++ * 10 + Number(this.id.slice(1)))
    return new RaftEngine({ self: this.id, founders, recovered: this.disk.state(), timing, random, limits: tight })
  }

  crash(): void {
    this.up = false
    this.unsynced = []
    this.#waiting = []
    this.out.length = 0
    this.asked.length = 0
    this.answers.length = 0
    this.captures = []
    this.wantsCapture = false
    this.#written = 0
    this.#proposed.clear()
    this.#reads.clear()
    if (this.#world.cheat === 'a crash takes the end of the log')
      for (const at of [...this.disk.slots.keys()].sort((a, b) => b - a).slice(0, 3)) this.disk.slots.delete(at)
  }

  restart(): void {
    this.up = true
    this.#engine = this.#start()
    this.turn()
  }

  propose(batch: string): void {
    const id = this.#nextRequest++
    this.#proposed.set(id, batch)
    this.turn({ type: 'propose', id: id as RequestId, batch: new TextEncoder().encode(batch) })
  }

  read(): void {
    const id = this.#nextRequest++
    this.#reads.set(id, this.#world.invariants.decided)
    this.turn({ type: 'read', id: id as RequestId, level: 'linearizable' })
  }

  turn(...inputs: Input[]): void {
    for (const input of inputs) this.#engine.step(input, 0 as Monotonic)
    this.#take(this.#engine.drain())
    const { leading, epoch } = this.status
    if (leading) this.#world.invariants.leads(this.id, epoch)
  }

  #take(effects: Effects): void {
    if (effects.write !== undefined) {
      check(effects.write.id === this.#written + 1, `write ${effects.write.id} after ${this.#written}`)
      this.#written = effects.write.id
      this.unsynced.push(effects.write)
    }
    for (const send of effects.send) {
      const now = send.early === true || this.unsynced.length === 0
      if (now || this.#world.cheat === 'messages leave before their writes are durable') this.#emit(send)
      else this.#waiting.push({ after: this.#written, send })
    }
    if (effects.restore !== undefined) this.#restore(effects.restore.position, effects.restore.epoch)
    for (const decided of effects.decide) {
      check(decided.position === this.applied + 1, `${this.id} decides ${decided.position} after ${this.applied}`)
      this.applied = decided.position
      this.#world.invariants.decide(this.id, decided)
    }
    for (const { id, outcome } of effects.settle) this.#settle(id, outcome)
    for (const transfer of effects.sendSnapshot ?? []) this.asked.push({ from: this.id, ...transfer, state: 'asked' })
    this.answers.push(...(effects.answerSnapshot ?? []))
    if (effects.capture === true) this.wantsCapture = true
  }

  #restore(position: number, epoch: bigint): void {
    check(position > this.applied, `${this.id} restores ${position} after ${this.applied}`)
    this.#world.invariants.restore(this.id, position, epoch)
    this.applied = position
  }

  #settle(id: number, outcome: NonNullable<Effects['settle'][number]>['outcome']): void {
    const { invariants } = this.#world
    const batch = this.#proposed.get(id)
    const floor = this.#reads.get(id)
    check(batch !== undefined || floor !== undefined, `${id} is settled twice at ${this.id}`)
    this.#proposed.delete(id)
    this.#reads.delete(id)
    if (batch !== undefined && outcome.type === 'decided') invariants.settledDecided(batch, outcome.position)
    else if (batch !== undefined && outcome.type === 'refused') invariants.refuse(batch)
    else if (outcome.type === 'readAt')
      check(outcome.position >= (floor ?? Number.POSITIVE_INFINITY), `a read at ${outcome.position} misses ${floor}`)
  }

  /** Makes the oldest `count` writes durable, and lets go what waited for them. */
  sync(count = this.unsynced.length): void {
    const writes = this.unsynced.splice(0, count)
    const last = writes.at(-1)
    if (last === undefined) return
    for (const { ops } of writes) this.disk.apply(ops)
    const ready = this.#waiting.filter(({ after }) => after <= last.id)
    this.#waiting = this.#waiting.filter(({ after }) => after > last.id)
    for (const { send } of ready) this.#emit(send)
    this.turn({ type: 'persisted', write: last.id as never })
  }

  #emit({ to, message }: Send): void {
    check(concatChunks(message).length <= tight.messageBytes, 'a message is larger than the limit')
    this.out.push({ from: this.id, to, bytes: concatChunks(message).slice() })
  }
}

export interface WorldInit {
  readonly seed: number
  readonly servers: number
  readonly cheat?: Cheat
}

/** Servers, what is on its way between them, and a seeded hand that does everything that may happen to them. */
export class World {
  readonly hosts: Host[]
  readonly invariants = new Invariants()
  packets: Packet[] = []
  transfers: Transfer[] = []
  /** Which side of the partition each server is on. */
  #side = new Map<NodeId, number>()
  readonly #random: Random
  /** In every second world servers crash far more often, and are back sooner. */
  readonly #wild: boolean
  #batch = 0
  #staged = 0
  /** Everything that was done, mixed into one number: the same for the same seed. */
  fingerprint = 0

  constructor({ seed, servers, cheat = 'none' }: WorldInit) {
    this.#random = seededRandom(seed)
    this.#wild = seed % 2 === 0
    const ids = Array.from({ length: servers }, (_, i) => nodeId(`n${i + 1}`))
    const founders: Membership = { members: ids.map((id) => ({ id, name: id, addresses: [], role: 'voter' })) }
    this.hosts = ids.map((id) => new Host(id, { founders, seed, invariants: this.invariants, cheat }))
  }

  #below(n: number): number {
    return Math.floor(this.#random.next() * n)
  }
  #any<T>(items: readonly T[]): T | undefined {
    return items[this.#below(items.length)]
  }
  host(id: NodeId): Host | undefined {
    return this.hosts.find((host) => host.id === id)
  }
  #linked(a: NodeId, b: NodeId): boolean {
    return this.#side.get(a) === this.#side.get(b)
  }

  /** One thing happens. */
  step(): void {
    const dice = this.#below(1_000)
    const host = this.#any(this.hosts)
    if (host === undefined) return
    if (dice < 460) this.#deliver()
    else if (!host.up) dice > (this.#wild ? 700 : 900) && host.restart()
    else this.#befall(host, dice)
    this.#collect(host)
    this.fingerprint = (Math.imul(this.fingerprint, 31) + dice + host.status.last * 7 + this.packets.length) | 0
  }

  #befall(host: Host, dice: number): void {
    if (dice < 700) host.turn({ type: 'tick' })
    else if (dice < 800) host.sync(1 + this.#below(3))
    else if (dice < 860) this.#propose()
    else if (dice < 880) (this.hosts.find(({ up, status }) => up && status.leading) ?? host).read()
    else if (dice < 930) this.#moveTransfer()
    else if (dice < 955) this.#capture(host)
    else if (dice < 975) this.#peerEvent(host)
    else if (dice < 983) host.turn({ type: 'disk', state: this.#any(['ok', 'ok', 'slow', 'full']) ?? 'ok' })
    else if (dice < 985) this.#partition()
    else if (dice < 987) this.#crash(host)
    else if (dice < 994 && this.#wild) this.#crash(host)
    else if (dice < 989) this.tickAll(this.#below(30))
    else this.tickAll(3)
  }

  #propose(): void {
    const leading = this.hosts.filter(({ up, status }) => up && status.leading)
    const host = this.#any(leading.length > 0 && this.#below(10) > 0 ? leading : this.hosts.filter(({ up }) => up))
    host?.propose(`${this.#batch++}:${'x'.repeat(this.#below(this.#below(20) === 0 ? 500 : 150))}`)
  }

  /** Mostly in order; sometimes late, twice or never. */
  #deliver(): void {
    const at = this.#below(4) > 0 ? this.#below(Math.min(6, this.packets.length)) : this.#below(this.packets.length)
    const packet = this.packets[at]
    if (packet === undefined) return
    const fate = this.#below(100)
    if (fate >= 8) this.packets.splice(at, 1)
    if (fate >= 95 || !this.#linked(packet.from, packet.to)) {
      if (fate % 2 === 0) this.host(packet.from)?.up && this.#tell(packet.from, packet.to, 'lost')
      return
    }
    this.#receive(packet)
  }

  #receive({ from, to, bytes }: Packet): void {
    const host = this.host(to)
    if (host?.up !== true) return
    host.turn({ type: 'receive', from, message: bytes.slice() })
    this.#collect(host)
  }

  #tell(at: NodeId, about: NodeId, state: 'up' | 'down' | 'lost'): void {
    const host = this.host(at)
    if (host?.up !== true) return
    host.turn({ type: 'peer', id: about, state })
    this.#collect(host)
  }

  #collect(host: Host): void {
    this.packets.push(...host.out.splice(0))
    while (this.packets.length > 200) this.packets.splice(this.#below(this.packets.length), 1)
    this.transfers.push(...host.asked.splice(0))
    for (const { from, accept } of host.answers.splice(0)) {
      const open = this.transfers.find((t) => t.state === 'offered' && t.from === from && t.to === host.id)
      if (open !== undefined) open.state = accept ? 'accepted' : 'failed'
    }
  }

  #peerEvent(host: Host): void {
    const other = this.#any(this.hosts)
    if (other !== undefined && other !== host)
      this.#tell(host.id, other.id, this.#any(['up', 'down', 'lost'] as const) ?? 'up')
  }

  #partition(): void {
    for (const { id } of this.hosts) this.#side.set(id, this.#below(3) === 0 ? 1 : 0)
  }

  #crash(host: Host): void {
    if (this.hosts.filter(({ up }) => up).length <= Math.ceil(this.hosts.length / 2) - 1) return
    if (this.#below(2) === 0) host.sync(this.#below(host.unsynced.length + 1)) // what the crash leaves behind
    this.#collect(host)
    host.crash()
    this.transfers = this.transfers.filter(({ from }) => from !== host.id)
    for (const transfer of this.transfers) if (transfer.to === host.id) transfer.state = 'failed'
    if (this.#below(2) === 0) for (const { id } of this.hosts) if (id !== host.id) this.#tell(id, host.id, 'down')
  }

  /** A capture takes time: what is staged now is told later. */
  #capture(host: Host): void {
    const told = host.captures.shift()
    if (told !== undefined) host.turn({ type: 'captured', snapshot: told })
    if (!host.wantsCapture && this.#below(3) > 0) return
    if (host.applied === 0 || host.unsynced.length > 0) return // only what is durable here may be captured
    host.wantsCapture = false
    host.captures.push({ id: `s${this.#staged++}` as SnapshotId, position: host.applied as Position })
  }

  #moveTransfer(): void {
    const transfer = this.#any(this.transfers)
    if (transfer === undefined) return
    if (this.#below(10) === 0 && transfer.state !== 'received') transfer.state = 'failed'
    this.#advance(transfer)
  }

  /** Offer, answer, body, end: one step of it. */
  #advance(transfer: Transfer): void {
    const { from, to, header } = transfer
    const sender = this.host(from)
    const receiver = this.host(to)
    if (transfer.state === 'failed' || transfer.state === 'received') {
      this.transfers.splice(this.transfers.indexOf(transfer), 1)
      sender?.turn({ type: 'snapshotSent', to, id: transfer.id, ok: transfer.state === 'received' })
      if (sender !== undefined) this.#collect(sender)
    } else if (receiver?.up !== true || !this.#linked(from, to)) transfer.state = 'failed'
    else if (transfer.state === 'asked') {
      transfer.state = 'offered'
      receiver.turn({ type: 'snapshotOffered', from, header })
    } else if (transfer.state === 'accepted') {
      transfer.state = 'received'
      receiver.turn({ type: 'snapshotReceived', from, id: `s${this.#staged++}` as SnapshotId, header })
    }
    if (receiver?.up === true) this.#collect(receiver)
  }

  tickAll(times: number): void {
    for (let i = 0; i < times; i++)
      for (const host of this.hosts) {
        if (!host.up) continue
        host.turn({ type: 'tick' })
        this.#collect(host)
      }
  }

  /** From here on nothing goes wrong any more. */
  heal(): void {
    this.#side.clear()
    for (const host of this.hosts) {
      if (!host.up) host.restart()
      host.turn({ type: 'disk', state: 'ok' })
      for (const other of this.hosts) if (other !== host) this.#tell(host.id, other.id, 'up')
    }
  }

  /** One tick of a healthy cluster. @returns messages that it took. */
  calm(): number {
    this.tickAll(1)
    let messages = 0
    for (let busy = true; busy; ) {
      busy = false
      for (const host of this.hosts) {
        busy ||= host.unsynced.length > 0
        host.sync()
        if (host.wantsCapture || host.captures.length > 0) this.#capture(host)
        this.#collect(host)
      }
      for (const transfer of [...this.transfers]) this.#advance(transfer)
      for (const packet of this.packets.splice(0)) {
        busy = true
        messages++
        check(messages < 3_000, 'the servers talk without end')
        this.#receive(packet)
      }
    }
    return messages
  }

  /** Whether one leads, and all have decided the same. */
  get agreed(): boolean {
    const leading = this.hosts.filter(({ status }) => status.leading)
    return (
      leading.length === 1 &&
      this.hosts.every(({ status, applied }) => applied === this.invariants.decided && status.last === applied)
    )
  }

  /** Proposes at the leader. */
  proposeCalmly(): string {
    const batch = `calm ${this.#batch++}`
    this.hosts.find(({ status }) => status.leading)?.propose(batch)
    return batch
  }
}
