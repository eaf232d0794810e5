import {
  chunksLength,
  concatChunks,
  type Decided,
  type Effects,
  type Engine,
  type EngineFactory,
  type EngineLimits,
  type Input,
  type LeaderInfo,
  type Membership,
  type Monotonic,
  type NodeId,
  type Outcome,
  type Position,
  type ReadLevel,
  type RequestId,
  type Send,
  type SnapshotId,
  seededRandom,
  type WriteId,
} from '@conclave/interface'
import { sameBytes } from '../draw.ts'
import { JournalModel } from '../journal/model.ts'
import { withoutWorld } from '../purity.ts'
import type { Findings } from './findings.ts'

export const timing = { heartbeatTicks: 2, electionTicks: 10, tickMillis: 10 }

/** What a node asks of the world around it. */
export interface NodeWorld {
  readonly factory: EngineFactory
  readonly founders: Membership
  readonly limits: EngineLimits
  readonly findings: Findings
  readonly leases: boolean
  /** A message may leave. */
  send(from: NodeId, to: NodeId, message: Uint8Array): void
  decided(node: EngineNode, decided: Decided): void
  settled(node: EngineNode, id: RequestId, outcome: Outcome): void
  /** Told after every turn in which it believes that it leads. */
  leads(id: NodeId, epoch: bigint): void
  transfer(from: EngineNode, to: NodeId, id: SnapshotId, header: Uint8Array): void
  answered(by: EngineNode, from: NodeId, accept: boolean): void
}

type Write = NonNullable<Effects['write']>

/** One turn as it went, to be replayed. */
interface Turn {
  readonly inputs: readonly Input[]
  readonly now: Monotonic
  readonly effects: string
}

/** Effects as text: bigints and bytes included. */
const textOf = (effects: unknown): string =>
  JSON.stringify(effects, (_, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`
    return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
  })

const bytesOf = (input: Input): Uint8Array | undefined => {
  if (input.type === 'receive') return input.message
  if (input.type === 'propose') return input.batch
  return input.type === 'snapshotOffered' || input.type === 'snapshotReceived' ? input.header : undefined
}

/** A copy whose bytes nobody else holds. */
const copyOf = (input: Input): Input => {
  if (input.type === 'receive') return { ...input, message: new Uint8Array(input.message) }
  if (input.type === 'propose') return { ...input, batch: new Uint8Array(input.batch) }
  if (input.type === 'snapshotOffered' || input.type === 'snapshotReceived')
    return { ...input, header: new Uint8Array(input.header) }
  return input
}

/** One engine with a disk that syncs when it is told to, under the durability rule of `Effects.send`. Looks after what the engine gives in every turn. */
export class EngineNode {
  readonly id: NodeId
  readonly disk: JournalModel
  readonly #world: NodeWorld
  readonly #seed: number
  #engine: Engine
  /** Every write of this life, in order. */
  readonly writes: Write[] = []
  #unsynced: Write[] = []
  #held: { readonly after: WriteId; readonly send: Send }[] = []
  #turns: Turn[] = []
  #recovered: JournalModel
  #told: LeaderInfo
  #compacted = 0
  #named: Position = 0 as Position
  #applied: Position
  /** Bodies that the engine was told of in this turn. */
  #staged = new Set<string>()
  #snapshots = 0
  #wantsSnapshot = false
  /** Decided in this life. */
  readonly log: Decided[] = []
  /** Outcomes by request of this life. */
  readonly outcomes = new Map<RequestId, Outcome[]>()
  alive = true
  /** What the engine threw. */
  thrown: unknown
  /** While true, nothing becomes durable. */
  holdSyncs = false

  constructor(id: NodeId, world: NodeWorld, seed: number, disk = new JournalModel()) {
    this.id = id
    this.disk = disk
    this.#world = world
    this.#seed = seed
    this.#recovered = disk.copy()
    const { snapshot } = disk.state
    this.#named = snapshot?.position ?? (0 as Position)
    this.#applied = this.#named
    this.#compacted = this.#named
    this.#engine = this.#create()
    const { epoch, leader } = this.#engine.status()
    this.#told = { epoch, ...(leader !== undefined && { id: leader }) }
  }

  #create(): Engine {
    const { factory, founders, limits, leases } = this.#world
    return withoutWorld('an engine', () =>
      factory.create({
        self: this.id,
        founders,
        recovered: this.#recovered.copy().state,
        timing,
        random: seededRandom(this.#seed),
        limits,
        leases,
      }),
    )
  }

  get status() {
    return this.#engine.status()
  }
  get supports() {
    return this.#engine.supports
  }
  get decidedPosition(): Position {
    return this.#applied
  }
  get unsynced(): number {
    return this.#unsynced.length
  }

  // ---- turns ----------------------------------------------------------------------------------------------------------------------

  /** Steps the inputs and drains once. A node whose engine threw is dead. */
  turn(now: number, ...inputs: readonly Input[]): Effects | undefined {
    if (!this.alive) return undefined
    const { findings } = this.#world
    const before = inputs.map(copyOf)
    let effects: Effects
    try {
      effects = withoutWorld('an engine', () => {
        for (const input of inputs) this.#engine.step(input, now as Monotonic)
        return this.#engine.drain()
      })
    } catch (error) {
      this.alive = false
      this.thrown = error
      const message = error instanceof Error ? error.message : String(error)
      const types = inputs.map(({ type }) => type).join(', ')
      findings.add(message.includes('is pure') ? 'pure' : 'throws', `${this.id} at ${types || 'drain'}: ${message}`)
      return undefined
    }
    for (const [at, input] of inputs.entries()) {
      const copy = before[at]
      if (copy !== undefined && !sameBytes(bytesOf(input), bytesOf(copy)))
        findings.add('inputs', `${this.id} changed the bytes of a ${input.type}`)
    }
    this.#turns.push({ inputs: before, now: now as Monotonic, effects: textOf(effects) })
    this.#take(effects, now)
    this.#look(now)
    return effects
  }

  #take(effects: Effects, now: number): void {
    const first = this.#turns.length === 1
    if (first && effects.peers === undefined)
      this.#world.findings.add('peers', `${this.id} told no peers in its first drain`)
    if (effects.peers?.some(({ id }) => id === this.id))
      this.#world.findings.add('peers', `${this.id} wants a link to itself`)
    if (effects.write !== undefined) this.#takeWrite(effects.write)
    this.#staged.clear()
    for (const send of effects.send) this.#takeSend(send)
    if (effects.restore !== undefined) this.#applied = effects.restore.position
    for (const decided of effects.decide) this.#takeDecided(decided)
    for (const { id, outcome } of effects.settle) {
      this.outcomes.set(id, [...(this.outcomes.get(id) ?? []), outcome])
      this.#world.settled(this, id, outcome)
    }
    if (effects.leader !== undefined) this.#told = effects.leader
    if (effects.capture === true) this.#wantsSnapshot = true
    for (const { to, id, header } of effects.sendSnapshot ?? []) this.#world.transfer(this, to, id, header)
    for (const { from, accept } of effects.answerSnapshot ?? []) this.#world.answered(this, from, accept)
    if (this.#wantsSnapshot) this.capture(now)
  }

  #takeWrite(write: Write): void {
    const { findings } = this.#world
    const expected = this.writes.length + 1
    if (write.id !== expected) findings.add('writeIds', `${this.id} wrote ${write.id}; the next is ${expected}`)
    if (write.ops.length === 0) findings.add('journal', `${this.id} wrote nothing with write ${write.id}`)
    for (const op of write.ops) {
      if (op.type === 'snapshot') {
        if (!this.#staged.has(op.id)) findings.add('journal', `${this.id} names a body that is not staged: ${op.id}`)
        this.#named = op.position
      }
      if (op.type === 'put' && op.slot <= this.#compacted)
        findings.add('journal', `${this.id} sets slot ${op.slot}, compacted up to ${this.#compacted}`)
      if (op.type === 'meta' && op.bytes.length > 65_536)
        findings.add('journal', `${this.id} writes ${op.bytes.length} bytes of meta`)
      if (op.type === 'compactTo') this.#compacted = Math.max(this.#compacted, op.slot)
    }
    this.writes.push(write)
    this.#unsynced.push(write)
  }

  #takeSend(send: Send): void {
    const { findings, limits } = this.#world
    const length = chunksLength(send.message)
    if (length > limits.messageBytes) findings.add('send', `${this.id} sends ${length} bytes`)
    if (send.to === this.id) findings.add('send', `${this.id} sends to itself`)
    const last = this.#unsynced.at(-1)
    if (send.early === true || last === undefined) this.#emit(send)
    else this.#held.push({ after: last.id, send })
  }

  #emit({ to, message }: Send): void {
    this.#world.send(this.id, to, new Uint8Array(concatChunks(message)))
  }

  #takeDecided(decided: Decided): void {
    if (decided.position !== this.#applied + 1)
      this.#world.findings.add('order', `${this.id} decides ${decided.position} after ${this.#applied}`)
    this.#applied = decided.position
    this.log.push(decided)
    this.#world.decided(this, decided)
  }

  /** What has to hold after every turn. */
  #look(_: number): void {
    const { findings } = this.#world
    const status = this.#engine.status()
    if (status.leading) this.#world.leads(this.id, status.epoch)
    if (status.epoch !== this.#told.epoch || status.leader !== this.#told.id)
      findings.add(
        'leaderTold',
        `${this.id} is in epoch ${status.epoch} under ${status.leader}, and told ${this.#told.epoch} under ${this.#told.id}`,
      )
    if (status.decided !== this.#applied || status.last < status.decided || status.snapshot > status.decided)
      findings.add(
        'status',
        `${this.id}: decided ${status.decided}, last ${status.last}, snapshot ${status.snapshot}; decided so far ${this.#applied}`,
      )
  }

  // ---- the disk -------------------------------------------------------------------------------------------------------------------

  /** Makes the oldest writes durable, all of them unless told otherwise, and lets go what waited for them. */
  sync(now: number, count = this.#unsynced.length): void {
    if (this.holdSyncs || !this.alive || count === 0) return
    const synced = this.#unsynced.splice(0, count)
    const last = synced.at(-1)
    if (last === undefined) return
    for (const { ops } of synced) this.disk.apply(ops)
    const free = this.#held.filter(({ after }) => after <= last.id)
    this.#held = this.#held.filter(({ after }) => after > last.id)
    for (const { send } of free) this.#emit(send)
    this.turn(now, { type: 'persisted', write: last.id })
  }

  /** Power is lost: of the writes in flight the oldest few may have reached the disk. */
  crash(reached: number): void {
    this.alive = false
    for (const { ops } of this.#unsynced.slice(0, reached)) this.disk.apply(ops)
  }

  /** The state is captured where everything that is decided is durable; else as soon as it is. */
  capture(now: number): void {
    if (this.#unsynced.length > 0) {
      this.#wantsSnapshot = true
      return
    }
    this.#wantsSnapshot = false
    if (this.#applied <= this.#named) return
    const id = `c-${this.id}-${this.#seed}-${++this.#snapshots}` as SnapshotId
    this.#staged.add(id)
    this.turn(now, { type: 'captured', snapshot: { id, position: this.#applied } })
  }

  /** The body of an accepted transfer is staged. */
  receiveSnapshot(now: number, from: NodeId, header: Uint8Array): void {
    const id = `r-${this.id}-${this.#seed}-${++this.#snapshots}` as SnapshotId
    this.#staged.add(id)
    this.turn(now, { type: 'snapshotReceived', from, id, header })
  }

  // ---- requests -------------------------------------------------------------------------------------------------------------------

  propose(now: number, id: RequestId, batch: Uint8Array): void {
    this.turn(now, { type: 'propose', id, batch })
  }

  read(now: number, id: RequestId, level: ReadLevel = 'linearizable'): void {
    this.turn(now, { type: 'read', id, level })
  }

  // ---- replay ---------------------------------------------------------------------------------------------------------------------

  /** Another engine with the same beginning and the same inputs has to give the same effects. */
  replay(): void {
    const engine = this.#create()
    for (const [at, { inputs, now, effects }] of this.#turns.entries()) {
      for (const input of inputs) engine.step(copyOf(input), now)
      const again = textOf(engine.drain())
      if (again === effects) continue
      const types = inputs.map(({ type }) => type).join(', ')
      this.#world.findings.add(
        'same',
        `${this.id}, turn ${at} (${types}): ${effects.slice(0, 200)}, then ${again.slice(0, 200)}`,
      )
      return
    }
  }
}
