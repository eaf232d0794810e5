import type { Monotonic, NodeId } from '@conclave/interface'
import { type Ballot, noBallot, sameBallot } from './ballot.ts'

/**
 * What this acceptor has pledged to leaders that serve reads under a lease (Paxos Made Live, section 5.2: "master leases"): for an election time-out of its
 * own clock from the hearing of a heartbeat it promises no ballot of anybody else, its own included.
 *
 * That pledges were ever made is on disk before the first one leaves. A node that starts again does not know to whom it pledged last, so it promises nothing
 * for as long as any pledge can last.
 */
export class Pledge {
  /** Milliseconds that a pledge lasts. */
  readonly #lasts: number
  /** In the metadata: a pledge was made at some time. */
  made: boolean
  /** The write that puts it there; 0 once that is durable. */
  #write = 0
  #wasMade: boolean
  #quietUntil = 0
  #to: NodeId | undefined
  #reign: Ballot = noBallot
  #until = 0

  constructor(made: boolean, lasts: number) {
    this.made = made
    this.#wasMade = made
    this.#lasts = lasts
  }

  /** Time goes on. The first step since the start is where the quiet time begins. */
  at(now: Monotonic): void {
    if (!this.#wasMade) return
    this.#wasMade = false
    this.#quietUntil = now + this.#lasts
  }

  /** Pledges to the leader of a ballot. @returns whether the answer may leave at once, since it is on disk that pledges are made. */
  give(to: NodeId, reign: Ballot, now: Monotonic, nextWrite: number): boolean {
    this.#to = to
    this.#reign = reign
    this.#until = now + this.#lasts
    if (!this.made) {
      this.made = true
      this.#write = nextWrite
    }
    return this.#write === 0
  }

  persisted(write: number): void {
    if (write >= this.#write) this.#write = 0
  }

  /** Whether a promise to `candidate` would break a pledge, or one that is forgotten. @param given the reign that its leader has given away itself. */
  forbids(candidate: NodeId, given: Ballot, now: Monotonic): boolean {
    if (this.#wasMade || now < this.#quietUntil) return true
    return now < this.#until && this.#to !== candidate && !sameBallot(this.#reign, given)
  }
}
