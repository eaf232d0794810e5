import {
  type ApplyContext,
  type Decided,
  type Effects,
  type Engine,
  type EngineFactory,
  type EngineInit,
  type Epoch,
  encodeBlock,
  epoch,
  type Input,
  type Journal,
  type JournalEvents,
  type JournalOp,
  type JournalState,
  type LeaderInfo,
  type Membership,
  type NodeId,
  nodeId,
  type Outcome,
  position,
  type RequestId,
  type Settle,
  type SnapshotId,
  type StateMachine,
  type Status,
  seededRandom,
  sessionCommands,
  silentLogger,
  slot,
  type Transport,
  type TransportHandler,
  visitReplies,
  writeId,
} from '@conclave/interface'
import { type BlockOutcome, createReplica, type Replica, type ReplicaInit } from '@conclave/replica'
import { settlePromises, VirtualClock } from '@conclave/simulator'

export const self = nodeId('a')
export const epochOne = epoch(1n)
export const founders: Membership = { members: [{ id: self, name: 'a', addresses: [], role: 'voter' }] }

/** A cluster of one that decides what is on its disk. Everything that it was given can be looked at, and effects can be slipped in. */
export class FakeEngine implements Engine {
  supports = { snapshots: true, reads: true, membership: false, learners: false, transfer: false, leases: false }
  readonly inputs: Input[] = []
  readonly init: EngineInit
  /** The latest in its log, as `status` tells it. */
  membership = founders
  /** What `status` says is decided, if not everything. */
  decidedUpTo: number | undefined
  /** Merged into the next drain. */
  extra: Partial<Effects> = {}
  /** Thrown by the next step. */
  failure: Error | undefined
  /** Settle proposals one drain after their decision. */
  settleLate = false
  /** What becomes of proposals. `unknown`: they are decided, and nobody is told. `lost`: nobody is told that they are not. */
  fate: 'decided' | 'unknown' | 'lost' | 'refused' = 'decided'
  drains = 0
  /** The reign that it is in. */
  epoch: Epoch = epochOne
  #news: LeaderInfo | undefined = { epoch: epochOne, id: self }
  #ops: JournalOp[] = []
  #settle: Settle[] = []
  #late: Settle[] = []
  #decide: Decided[] = []
  #writes = 0
  #pending: { write: number; decided: Decided; settle?: Settle }[] = []
  #last: number

  constructor(init: EngineInit) {
    this.init = init
    this.#last = init.recovered.snapshot?.position ?? 0
    for (const { slot: at, bytes } of init.recovered.entries) {
      this.#last = at
      this.#decide.push({ type: 'batch', position: position(at), epoch: epoch(1n), batch: bytes })
    }
  }

  step(input: Input): void {
    this.inputs.push(input)
    if (this.failure !== undefined) throw this.failure
    if (input.type === 'propose') this.#propose(input.id, input.batch)
    else if (input.type === 'read')
      this.#settle.push({ id: input.id, outcome: { type: 'readAt', position: position(this.#last) } })
    else if (input.type === 'persisted') this.#persisted(input.write)
    else if (input.type === 'captured') {
      const { id, position: at } = input.snapshot
      this.#ops.push(
        { type: 'snapshot', id, position: at, header: new Uint8Array(0) },
        { type: 'compactTo', slot: slot(at) },
      )
    }
  }

  #propose(id: RequestId, batch: Uint8Array): void {
    if (this.fate === 'lost') {
      this.#settle.push({ id, outcome: { type: 'unknown' } })
      return
    }
    if (this.fate === 'refused') {
      this.#settle.push({ id, outcome: { type: 'refused', reason: 'overloaded' } })
      return
    }
    this.#last++
    this.#ops.push({ type: 'put', slot: slot(this.#last), bytes: [batch] })
    const decided: Decided = { type: 'batch', position: position(this.#last), epoch: this.epoch, batch }
    const outcome: Outcome =
      this.fate === 'unknown' ? { type: 'unknown' } : { type: 'decided', position: decided.position }
    this.#pending.push({ write: this.#writes + 1, decided, settle: { id, outcome } })
  }

  /** A leader is known from the next drain on. */
  follow(at: Epoch, leader?: NodeId): void {
    this.epoch = at
    this.#news = { epoch: at, ...(leader !== undefined && { id: leader }) }
  }

  /** The first entry of a reign is decided, once everything before it is. */
  decideReign(at: Epoch, leader: NodeId): void {
    this.#last++
    const decided: Decided = { type: 'reign', position: position(this.#last), epoch: at, leader }
    const before = this.#pending.at(-1)
    if (before === undefined) this.#decide.push(decided)
    else this.#pending.push({ write: before.write, decided })
  }

  /** This node is elected, and its reign is decided. */
  reign(at: Epoch): void {
    this.follow(at, self)
    this.decideReign(at, self)
  }

  /** As if everything up to there had come with a snapshot. */
  jumpTo(to: number): void {
    this.#last = to
  }

  #persisted(write: number): void {
    while (this.#pending[0] !== undefined && this.#pending[0].write <= write) {
      const done = this.#pending.shift()
      if (done === undefined) return
      this.#decide.push(done.decided)
      if (done.settle === undefined) continue
      if (this.settleLate) this.#late.push(done.settle)
      else this.#settle.push(done.settle)
    }
  }

  drain(): Effects {
    this.drains++
    const effects: Effects = {
      send: [],
      decide: this.#decide,
      settle: this.#settle,
      ...(this.#ops.length > 0 && { write: { id: writeId(++this.#writes), ops: this.#ops } }),
      ...(this.#news !== undefined && { leader: this.#news }),
      ...this.extra,
    }
    this.#news = undefined
    this.extra = {}
    this.#decide = []
    this.#settle = this.#late
    this.#late = []
    this.#ops = []
    return effects
  }

  status(): Status {
    const at = position(this.#last)
    return {
      role: 'leader',
      leading: true,
      epoch: this.epoch,
      decided: position(this.decidedUpTo ?? at),
      last: at,
      snapshot: position(0),
      membership: this.membership,
      self: 'voter',
      malformed: 0,
      detail: {},
    }
  }
}

/** A journal whose writes become durable when the test says so. */
export class HandJournal implements Journal {
  readonly writes: { readonly ops: readonly JournalOp[]; done: (error?: Error) => void }[] = []
  readonly bodies = new Map<string, Uint8Array[]>()
  readonly discarded: string[] = []
  state: JournalState = { entries: [] }
  events: JournalEvents | undefined
  closed = 0
  /** Every write is durable at once. */
  auto = true
  stageFailure: Error | undefined

  open(events: JournalEvents): Promise<JournalState> {
    this.events = events
    return Promise.resolve(this.state)
  }
  write(ops: readonly JournalOp[], done: (error?: Error) => void): void {
    const write = { ops, done }
    this.writes.push(write)
    if (this.auto) queueMicrotask(() => this.sync())
  }
  /** Ends all writes that wait. */
  sync(error?: Error): void {
    for (const { done } of this.writes.splice(0)) done(error)
  }
  async stage(id: SnapshotId, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    if (this.stageFailure !== undefined) throw this.stageFailure
    const chunks: Uint8Array[] = []
    for await (const chunk of body) {
      signal.throwIfAborted()
      chunks.push(chunk)
    }
    this.bodies.set(id, chunks)
  }
  discard(id: SnapshotId): Promise<void> {
    this.discarded.push(id)
    this.bodies.delete(id)
    return Promise.resolve()
  }
  async *readSnapshot(id: SnapshotId): AsyncIterable<Uint8Array> {
    yield* this.bodies.get(id) ?? []
  }
  stats(): { bytes: number; groups: number; syncs: number } {
    return { bytes: 0, groups: 0, syncs: 0 }
  }
  close(): Promise<void> {
    this.closed++
    return Promise.resolve()
  }
}

export class FakeTransport implements Transport {
  readonly self = self
  readonly sent: { to: string; text: string }[] = []
  handler: TransportHandler | undefined
  closed = 0
  start(handler: TransportHandler): Promise<void> {
    this.handler = handler
    return Promise.resolve()
  }
  setPeers(): void {}
  send(to: string, message: readonly Uint8Array[]): void {
    this.sent.push({ to, text: message.map((chunk) => new TextDecoder().decode(chunk)).join('') })
  }
  transfer(): Promise<'accepted' | 'rejected'> {
    return Promise.resolve('rejected')
  }
  close(): Promise<void> {
    this.closed++
    return Promise.resolve()
  }
}

/** Appends the command to a list and replies with the list's length; it notes every context. */
export class ListMachine implements StateMachine {
  readonly name = 'list'
  items: string[] = []
  readonly contexts: ApplyContext[] = []
  failure: Error | undefined
  apply(command: Uint8Array, context: ApplyContext): Uint8Array {
    if (this.failure !== undefined) throw this.failure
    this.contexts.push(context)
    this.items.push(new TextDecoder().decode(command))
    return Uint8Array.of(this.items.length)
  }
  query(): Uint8Array {
    return Uint8Array.of(this.items.length)
  }
  capture(): { body(): AsyncIterable<Uint8Array>; release(): void } {
    const text = new TextEncoder().encode(this.items.join('\n'))
    return {
      async *body() {
        yield text
      },
      release: () => {},
    }
  }
  async restore(body: AsyncIterable<Uint8Array>): Promise<void> {
    let text = ''
    for await (const chunk of body) text += new TextDecoder().decode(chunk)
    this.items = text === '' ? [] : text.split('\n')
  }
  hash(): string {
    return this.items.join('|')
  }
}

export interface World {
  readonly replica: Replica
  readonly engine: FakeEngine
  readonly journal: HandJournal
  readonly transport: FakeTransport
  readonly machine: ListMachine
  readonly clock: VirtualClock
}

/** A started replica on fakes, with session 7 opened. */
export const startWorld = async (
  init: Partial<ReplicaInit> = {},
  journal = new HandJournal(),
  prepare: (engine: FakeEngine, replica: Replica) => void = () => {},
): Promise<World> => {
  const clock = new VirtualClock()
  const machine = new ListMachine()
  const transport = new FakeTransport()
  let engine: FakeEngine | undefined
  const factory: EngineFactory = {
    name: 'fake',
    contract: 1,
    create: (given) => {
      engine = new FakeEngine(given)
      prepare(engine, replica)
      return engine
    },
  }
  const replica: Replica = createReplica({
    self,
    founders,
    engine: factory,
    journal,
    transport,
    machines: [machine],
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    ...init,
  })
  await replica.start()
  if (engine === undefined) throw new Error('the engine was not made')
  await clock.pass(0)
  return { replica, engine, journal, transport, machine, clock }
}

export const openBlock = (session: bigint): Uint8Array =>
  encodeBlock(session, 0, [{ serial: 0, machine: 0, bytes: Uint8Array.of(sessionCommands.open) }])

export const block = (session: bigint, serial: number, text: string, ackedBelow = 0): Uint8Array =>
  encodeBlock(session, ackedBelow, [{ serial, machine: 1, bytes: new TextEncoder().encode(text) }])

/** Outcomes as text: `0:3` is status 0 with reply byte 3. */
export const outcomeText = (outcome: BlockOutcome): string => {
  if (outcome.type !== 'replies') return outcome.type === 'refused' ? `refused ${outcome.reason}` : outcome.type
  const replies: string[] = []
  visitReplies(outcome.bytes, (_serial, status, reply) => replies.push(`${status}:${reply.join('.')}`))
  return replies.join(' ')
}

/** Submits and collects what is answered. */
export const submitTo = (world: World, bytes: Uint8Array): string[] => {
  const answers: string[] = []
  world.replica.submit(bytes, (outcome) => answers.push(outcomeText(outcome)))
  return answers
}

export { settlePromises }
