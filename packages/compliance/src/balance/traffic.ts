import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { type Balancer, seededRandom } from '@conclave/interface'
import type { BalancerSubject } from './subject.ts'

/** Requests that are open at a time, as a busy caller has them. */
const mostOpen = 16

/** The first `count` candidates of a subject. */
export const candidatesOf = <Candidate>(subject: BalancerSubject<unknown, Candidate>, count: number): Candidate[] =>
  Array.from({ length: count }, (_, index) => subject.candidate(index))

/** A balancer and the requests that go through it: each another one, each settled a while after it was sent. */
export class Traffic<Request, Candidate> {
  readonly balancer: Balancer<Request, Candidate>
  readonly #subject: BalancerSubject<Request, Candidate>
  readonly #open: Candidate[] = []
  #requests = 0

  constructor(subject: BalancerSubject<Request, Candidate>, seed: number) {
    this.#subject = subject
    this.balancer = subject.balancer(seededRandom(seed))
  }

  /** What the balancer picks, of whatever kind. */
  ask(candidates: readonly Candidate[]): Candidate | undefined {
    return this.balancer.pick(this.#subject.request(this.#requests++), candidates)
  }

  /** One of the candidates, none of which has ever failed. @throws AssertionError if it is nothing, or something else. */
  send(candidates: readonly Candidate[]): Candidate {
    const picked = this.ask(candidates)
    assert.ok(picked !== undefined, `nothing was picked of ${candidates.length} candidates, none of which ever failed`)
    assert.ok(
      candidates.includes(picked),
      `${inspect(picked)} was picked, which is none of the ${candidates.length} candidates`,
    )
    this.#open.push(picked)
    if (this.#open.length > mostOpen) this.#settle()
    return picked
  }

  #settle(): void {
    const [oldest] = this.#open.splice(0, 1)
    if (oldest !== undefined) this.balancer.settled?.(oldest, { latency: 5 })
  }
}
