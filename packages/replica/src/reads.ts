import type { NodeId, Outcome, Position, ReadLevel, Refusal, RequestId } from '@conclave/interface'

/** When a read may be answered. */
export type ReadOutcome =
  /** Now: call `query` before anything else happens. `position`: what the answer will contain at least. */
  | { readonly type: 'ready'; readonly position: Position }
  | { readonly type: 'refused'; readonly reason: Refusal; readonly leader?: NodeId }
  | { readonly type: 'unknown' }

export type ReadDone = (outcome: ReadOutcome) => void

export interface ReadsOwner {
  /** Takes the next free request id. */
  nextId(): RequestId
  /** Steps the engine. */
  read(id: RequestId, level: ReadLevel): void
  refusal(reason: Refusal): ReadOutcome
}

/** The reads of one level: those that wait for the next round, the one round that the engine has, and those that wait to be applied. */
export class Reads {
  readonly #owner: ReadsOwner
  readonly #level: ReadLevel
  readonly #most: number
  #waiting: ReadDone[] = []
  #round: { readonly id: RequestId; readonly reads: readonly ReadDone[] } | undefined
  #settled: { readonly at: Position; readonly reads: readonly ReadDone[] }[] = []
  #count = 0
  /** Rounds that the engine was asked for. */
  rounds = 0

  /** @param most reads that may wait at a time. */
  constructor(owner: ReadsOwner, level: ReadLevel, most: number) {
    this.#owner = owner
    this.#level = level
    this.#most = most
  }

  get waiting(): number {
    return this.#count
  }

  /** True if it waits; otherwise `done` was called. */
  submit(done: ReadDone): boolean {
    if (this.#count >= this.#most) {
      done(this.#owner.refusal('overloaded'))
      return false
    }
    this.#waiting.push(done)
    this.#count++
    return true
  }

  /** Begins a round for everything that waits, unless one is under way: it began before the new ones arrived and proves nothing for them. */
  step(): void {
    if (this.#round !== undefined || this.#waiting.length === 0) return
    const id = this.#owner.nextId()
    this.#round = { id, reads: this.#waiting }
    this.#waiting = []
    this.rounds++
    this.#owner.read(id, this.#level)
  }

  /** True if `id` was the round; it ends, and the caller wakes the driver for those that waited meanwhile. */
  settle(id: RequestId, outcome: Outcome): boolean {
    const round = this.#round
    if (round?.id !== id) return false
    this.#round = undefined
    if (outcome.type === 'readAt') this.#settled.push({ at: outcome.position, reads: round.reads })
    else this.#end(round.reads, outcome.type === 'refused' ? this.#owner.refusal(outcome.reason) : { type: 'unknown' })
    return true
  }

  get wantsRound(): boolean {
    return this.#round === undefined && this.#waiting.length > 0
  }

  /** Serves what may be served when everything up to `position` is applied. */
  applied(position: Position): void {
    if (this.#settled.length === 0) return
    const settled = this.#settled
    this.#settled = []
    for (const group of settled) {
      if (group.at <= position) this.#end(group.reads, { type: 'ready', position })
      else this.#settled.push(group)
    }
  }

  #end(reads: readonly ReadDone[], outcome: ReadOutcome): void {
    this.#count -= reads.length
    for (const done of reads) done(outcome)
  }

  stop(): void {
    const groups = [this.#waiting, this.#round?.reads ?? [], ...this.#settled.map(({ reads }) => reads)]
    this.#waiting = []
    this.#round = undefined
    this.#settled = []
    for (const reads of groups) this.#end(reads, { type: 'unknown' })
  }
}
