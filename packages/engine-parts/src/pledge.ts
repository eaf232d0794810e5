import type { Monotonic, NodeId } from '@conclave/interface'

/**
 * What this node has promised to leaders that serve reads under a lease (Ongaro's dissertation on Raft, section 6.4.1): for a time-out of its own clock from
 * the hearing of a heartbeat it helps to elect nobody else, itself included.
 *
 * That such promises were ever made is on disk before the first one leaves. A node that starts again does not know what it promised last, so it
 * keeps quiet for as long as any promise can last.
 */
export class Pledge {
  /** Milliseconds that a promise lasts. */
  readonly #lasts: number
  /** In the metadata: a promise was made at some time. */
  made: boolean
  /** The write that put it there; 0 when that is long durable. */
  #write = 0
  #restarted: boolean
  #quietUntil = 0
  #to: NodeId | undefined
  #until = 0

  constructor(made: boolean, lasts: number) {
    this.made = made
    this.#restarted = made
    this.#lasts = lasts
  }

  /** The first step since the start is where the quiet time begins. */
  begin(now: Monotonic): void {
    if (!this.#restarted) return
    this.#restarted = false
    this.#quietUntil = now + this.#lasts
  }

  /** Promises `to` what a promise says. @returns whether it may leave at once: that promises are made is on disk. */
  give(to: NodeId, now: Monotonic, nextWrite: number): boolean {
    this.#to = to
    this.#until = now + this.#lasts
    if (!this.made) {
      this.made = true
      this.#write = nextWrite
    }
    return this.#write === 0
  }

  /** The leader to which it was given has given its reign away: it holds no more. What was promised before a restart still does. */
  release(): void {
    this.#until = 0
  }

  persisted(write: number): void {
    if (write >= this.#write) this.#write = 0
  }

  /** Whether a vote for `candidate` would break a promise, or one that is forgotten. */
  forbids(candidate: NodeId, now: Monotonic): boolean {
    return this.isQuiet(now) || (now < this.#until && this.#to !== candidate)
  }

  /** Too soon after a restart to know what was promised before it. */
  isQuiet(now: Monotonic): boolean {
    return this.#restarted || now < this.#quietUntil
  }
}
