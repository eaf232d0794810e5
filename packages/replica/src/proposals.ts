import {
  checkBlock,
  type Epoch,
  encodeBatch,
  type LogTime,
  MalformedBytes,
  type NodeId,
  type Outcome,
  type Position,
  type Refusal,
  type RequestId,
} from '@conclave/interface'
import type { ReplicaLimits } from './limits.ts'

/** What became of a submitted block. */
export type BlockOutcome =
  /** Decided and applied here: the reply to each command (`visitReplies`). */
  | { readonly type: 'replies'; readonly bytes: Uint8Array }
  /** Definite: no command of it was or will be applied. `leader`: where to go instead, if known. */
  | { readonly type: 'refused'; readonly reason: Refusal; readonly leader?: NodeId }
  /** It may have been applied, or may yet be. The same serials may be submitted again, anywhere. */
  | { readonly type: 'unknown' }

export type BlockDone = (outcome: BlockOutcome) => void

export interface WaitingBlock {
  readonly block: Uint8Array
  readonly done: BlockDone
  /** It is to be proposed in this reign only: a service that served in it let it in. */
  readonly under?: Epoch
}

export interface ProposalsOwner {
  readonly limits: ReplicaLimits
  /** Takes the next free request id. */
  nextId(): RequestId
  propose(id: RequestId, batch: Uint8Array): void
  /** The proposal of these blocks is decided there. */
  decided(position: Position, blocks: readonly WaitingBlock[]): void
  refusal(reason: Refusal): BlockOutcome
  /** Undefined: blocks are welcome. */
  closedFor(): Refusal | undefined
  /** Of the reign that the engine is in now. */
  epoch(): Epoch
}

const batchHead = 13
const blockHead = 4

/** Blocks on their way into the log: queued until the turn, then one proposal for all of them, then waiting for its outcome. */
export class Proposals {
  readonly #owner: ProposalsOwner
  #queue: WaitingBlock[] = []
  #queuedBytes = 0
  /** Some queued block is bound to a reign. */
  #bound = false
  readonly #proposed = new Map<RequestId, readonly WaitingBlock[]>()
  /** Blocks refused for whatever reason. */
  refused = 0

  constructor(owner: ProposalsOwner) {
    this.#owner = owner
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  get empty(): boolean {
    return this.#queue.length === 0
  }

  /** Queues a block, or says why not: `done` is then the caller's to call. @param under see `WaitingBlock`. */
  submit(block: Uint8Array, done: BlockDone, under?: Epoch): BlockOutcome | undefined {
    const reason = this.#judge(block)
    if (reason !== undefined) {
      this.refused++
      return this.#owner.refusal(reason)
    }
    this.#queue.push({ block, done, ...(under !== undefined && { under }) })
    this.#bound ||= under !== undefined
    this.#queuedBytes += block.length
    return undefined
  }

  #judge(block: Uint8Array): Refusal | undefined {
    const { limits } = this.#owner
    if (block.length > limits.requestBytes) return 'invalid'
    const closed = this.#owner.closedFor()
    if (closed !== undefined) return closed
    if (this.#queuedBytes + block.length > limits.queuedBytes) return 'overloaded'
    try {
      checkBlock(block)
      return undefined
    } catch (error) {
      if (error instanceof MalformedBytes) return 'invalid'
      throw error
    }
  }

  /**
   * Hands everything that is queued to the engine: one batch, or several if one would exceed the bound of an entry. The engine may have begun a reign in this very
   * turn, of which nobody has heard yet: what was let in under another is refused.
   */
  step(time: LogTime): void {
    if (this.#queue.length === 0) return
    const epoch = this.#bound ? this.#owner.epoch() : undefined
    const fits = ({ under }: WaitingBlock): boolean => under === undefined || under === epoch
    const queue = this.#takeQueue()
    if (epoch === undefined || queue.every(fits)) return this.#proposeAll(time, queue)
    this.#proposeAll(time, queue.filter(fits))
    // Last: whoever is told may submit more, which is for the next turn.
    this.#refuse(
      queue.filter((waiting) => !fits(waiting)),
      'not-leader',
    )
  }

  #takeQueue(): readonly WaitingBlock[] {
    const queue = this.#queue
    this.#queue = []
    this.#queuedBytes = 0
    this.#bound = false
    return queue
  }

  #proposeAll(time: LogTime, queue: readonly WaitingBlock[]): void {
    if (queue.length === 0) return
    let from = 0
    let size = batchHead
    for (const [at, { block }] of queue.entries()) {
      if (at > from && size + blockHead + block.length > this.#owner.limits.entryBytes) {
        this.#propose(time, queue.slice(from, at))
        from = at
        size = batchHead
      }
      size += blockHead + block.length
    }
    this.#propose(time, from === 0 ? queue : queue.slice(from))
  }

  #propose(time: LogTime, blocks: readonly WaitingBlock[]): void {
    const id = this.#owner.nextId()
    this.#proposed.set(id, blocks)
    this.#owner.propose(
      id,
      encodeBatch(
        time,
        blocks.map(({ block }) => block),
      ),
    )
  }

  /** True if `id` was a proposal. */
  settle(id: RequestId, outcome: Outcome): boolean {
    const blocks = this.#proposed.get(id)
    if (blocks === undefined) return false
    this.#proposed.delete(id)
    if (outcome.type === 'decided') this.#owner.decided(outcome.position, blocks)
    else if (outcome.type === 'refused') this.#refuse(blocks, outcome.reason)
    else for (const { done } of blocks) done({ type: 'unknown' })
    return true
  }

  /** Refuses what is queued, which the engine has never seen. */
  refuseQueued(reason: Refusal): void {
    this.#refuse(this.#takeQueue(), reason)
  }

  #refuse(blocks: readonly WaitingBlock[], reason: Refusal): void {
    this.refused += blocks.length
    const outcome = this.#owner.refusal(reason)
    for (const { done } of blocks) done(outcome)
  }

  /** The engine will not be stepped again: nobody can say what becomes of what it was given. */
  stop(): void {
    this.refuseQueued('not-ready')
    const proposed = [...this.#proposed.values()]
    this.#proposed.clear()
    for (const blocks of proposed) for (const { done } of blocks) done({ type: 'unknown' })
  }
}
