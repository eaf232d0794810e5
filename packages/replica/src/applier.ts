import {
  type ApplyContext,
  assert,
  type Decided,
  decodeBatch,
  type Epoch,
  epoch,
  type LogTime,
  type Position,
  position,
  type StateMachine,
} from '@conclave/interface'
import type { WaitingBlock } from './proposals.ts'
import { ReplyWriter, type SessionTable } from './sessions.ts'
import { type HeldState, holdState, type Point, restoreBody } from './snapshot-body.ts'

const decidedBytes = (decided: Decided): number => (decided.type === 'batch' ? decided.batch.length : 0)

/** Applies what is decided, in order, and answers the local waiters. */
export class Applier {
  readonly #machines: readonly StateMachine[]
  readonly #sessions: SessionTable
  readonly #reigned: (epoch: Epoch) => void
  #point: Point = { position: position(0), epoch: epoch(0n), time: 0 as LogTime }
  #queue: Decided[] = []
  #backlog = 0
  #waiters = new Map<Position, readonly WaitingBlock[]>()
  #restoring = false
  commands = 0
  batches = 0
  bytes = 0

  /** @param reigned told of every reign that was applied. */
  constructor(machines: readonly StateMachine[], sessions: SessionTable, reigned: (epoch: Epoch) => void = () => {}) {
    this.#machines = machines
    this.#sessions = sessions
    this.#reigned = reigned
  }

  /** Up to where everything is applied. */
  get point(): Point {
    return this.#point
  }

  /** Bytes that are decided, not applied. */
  get backlog(): number {
    return this.#backlog
  }

  /** True while the machines are being replaced: they must not be asked. */
  get restoring(): boolean {
    return this.#restoring
  }

  get behind(): boolean {
    return this.#queue.length > 0 && !this.#restoring
  }

  enqueue(decide: readonly Decided[]): void {
    for (const decided of decide) {
      this.#queue.push(decided)
      this.#backlog += decidedBytes(decided)
    }
  }

  /** These blocks wait for the replies of the batch at `at`. */
  await(at: Position, blocks: readonly WaitingBlock[]): void {
    if (at > this.#point.position || this.#restoring) this.#waiters.set(at, blocks)
    else this.#recall(blocks)
  }

  /** Applies about `most` bytes, at least one entry. Returns the bytes applied. */
  run(most: number): number {
    if (this.#restoring) return 0
    let bytes = 0
    let count = 0
    while (count < this.#queue.length && (count === 0 || bytes < most)) {
      const decided = this.#queue[count]
      assert(
        decided !== undefined && decided.position === this.#point.position + 1,
        `position ${decided?.position} was decided after ${this.#point.position}`,
      )
      this.#apply(decided)
      bytes += decidedBytes(decided)
      count++
    }
    if (count === this.#queue.length) this.#queue = []
    else if (count > 0) this.#queue.splice(0, count)
    this.#backlog -= bytes
    this.bytes += bytes
    return bytes
  }

  #apply(decided: Decided): void {
    if (decided.type === 'batch') return this.#applyBatch(decided.position, decided.epoch, decided.batch)
    this.#point = { ...this.#point, position: decided.position }
    if (decided.type !== 'reign') return
    this.#point = { ...this.#point, epoch: decided.epoch }
    for (const machine of this.#machines) machine.reign?.(decided.epoch, decided.leader, decided.position)
    this.#reigned(decided.epoch)
  }

  #applyBatch(at: Position, under: ApplyContext['epoch'], bytes: Uint8Array): void {
    const batch = decodeBatch(bytes)
    const time = Math.max(batch.time, this.#point.time) as LogTime
    const context: ApplyContext = { position: at, time, epoch: under }
    const waiting = this.#waiters.get(at)
    this.#sessions.expire(time)
    const replies: (Uint8Array | undefined)[] = []
    for (const [index, block] of batch.blocks.entries()) {
      const writer = waiting?.[index] && new ReplyWriter(block)
      this.commands += this.#sessions.applyBlock(block, context, writer)
      if (writer !== undefined) replies.push(writer.take())
    }
    this.batches++
    this.#point = { ...this.#point, position: at, time }
    if (waiting === undefined) return
    this.#waiters.delete(at) // only now: had a machine thrown, they would still be told `unknown`
    assert(waiting.length === batch.blocks.length, `the batch at ${at} is not the one that was proposed here`)
    for (const [index, { done }] of waiting.entries())
      done({ type: 'replies', bytes: replies[index] ?? new Uint8Array(0) })
  }

  /** Holds the present state still. */
  hold(): HeldState {
    return holdState(this.#point, this.#sessions, this.#machines)
  }

  /** The state up to `to` will come from a snapshot: what is queued is part of it, and nothing is applied before `restore`. */
  beginRestore(to: Position): void {
    assert(to > this.#point.position, `a snapshot at ${to} would take back what is applied (${this.#point.position})`)
    this.#restoring = true
    this.#queue = []
    this.#backlog = 0
  }

  /** Replaces the state. A throw leaves it unusable. */
  async restore(body: AsyncIterable<Uint8Array>, expected: Position): Promise<void> {
    this.#restoring = true
    const point = await restoreBody(body, this.#sessions, this.#machines)
    assert(point.position === expected, `the snapshot at ${expected} holds the state at ${point.position}`)
    this.#point = point
  }

  /** Goes on after the last restore. */
  endRestore(): void {
    this.#restoring = false
    const waiters = this.#waiters
    this.#waiters = new Map()
    for (const [at, blocks] of waiters) this.await(at, blocks)
  }

  #recall(blocks: readonly WaitingBlock[]): void {
    for (const { block, done } of blocks) done({ type: 'replies', bytes: this.#sessions.recall(block) })
  }

  stop(): void {
    const waiters = [...this.#waiters.values()]
    this.#waiters.clear()
    for (const blocks of waiters) for (const { done } of blocks) done({ type: 'unknown' })
  }
}
