import type { MembershipChange, NodeId, Outcome, Position, Refusal, RequestId } from '@conclave/interface'

/** What became of a change of the membership. */
export type ChangeOutcome =
  /** Decided: the configuration at this position ends the change. */
  | { readonly type: 'decided'; readonly position: Position }
  /** Definite: it did not and will not happen. `leader`: where to go instead, if known. */
  | { readonly type: 'refused'; readonly reason: Refusal; readonly leader?: NodeId }
  /** It may have happened, or may yet: the members tell. */
  | { readonly type: 'unknown' }

export type ChangeDone = (outcome: ChangeOutcome) => void

export interface ChangesOwner {
  /** Takes the next free request id. */
  nextId(): RequestId
  /** Queues the input for the next turn. */
  reconfigure(id: RequestId, change: MembershipChange): void
  refusal(reason: Refusal): ChangeOutcome
}

/** Changes of the membership on their way: one at a time, as the engine takes them. */
export class Changes {
  readonly #owner: ChangesOwner
  #open: { readonly id: RequestId; readonly done: ChangeDone } | undefined

  constructor(owner: ChangesOwner) {
    this.#owner = owner
  }

  /** Hands a change over, or says why not: `done` is then the caller's to call. */
  submit(change: MembershipChange, done: ChangeDone): ChangeOutcome | undefined {
    if (this.#open !== undefined) return this.#owner.refusal('in-progress')
    const id = this.#owner.nextId()
    this.#open = { id, done }
    this.#owner.reconfigure(id, change)
    return undefined
  }

  /** True if `id` was the change. */
  settle(id: RequestId, outcome: Outcome): boolean {
    const open = this.#open
    if (open?.id !== id) return false
    this.#open = undefined
    if (outcome.type === 'decided') open.done(outcome)
    else open.done(outcome.type === 'refused' ? this.#owner.refusal(outcome.reason) : { type: 'unknown' })
    return true
  }

  stop(): void {
    const open = this.#open
    this.#open = undefined
    open?.done({ type: 'unknown' })
  }
}
