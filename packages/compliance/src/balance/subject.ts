import type { Balancer, Random } from '@conclave/interface'
import type { ComplianceOptions } from '../suite.ts'

/** A balancer to be tested. What is optional here is a trait that not every balancer has: its tests are left out without it. */
export interface BalancerSubject<
  Request,
  Candidate,
  Tested extends Balancer<Request, Candidate> = Balancer<Request, Candidate>,
> extends ComplianceOptions {
  /** As it stands in reports. */
  readonly name: string
  /** A new balancer. All that it draws comes from `random`; if it needs the time, from a clock that stands still. */
  balancer(random: Random): Tested
  /** Candidate number `index`, from 0 up: each another one, all alike in weight and health. */
  candidate(index: number): Candidate
  /** Request number `index`, from 0 up: each another one. */
  request(index: number): Request
  /**
   * The exact expectation: the part of many requests that each of `candidates` gets, in their order, summing up to 1, while 16 requests are under way
   * and all end alike. With `weights` for candidates of any weight; for a hash what its table gives, not what it aims at.
   */
  shares?(candidates: readonly Candidate[]): readonly number[]
  /** It goes by weights. */
  readonly weights?: {
    /** As `candidate`, with this weight: a whole number from 0 up. 0 is to get nothing. */
    candidate(index: number, weight: number): Candidate
  }
  /** Requests with the same key go to the same candidate, while no other request is under way. */
  readonly keys?: {
    request(key: string): Request
    /**
     * When one of seven candidates leaves or comes: the part of the keys of the others that move all the same, at most. 0 for a ring and for
     * rendezvous hashing.
     */
    readonly moved: number
  }
  /** It leaves out candidates that are not fit. */
  readonly health?: {
    /**
     * Makes a candidate unfit: by results that are told to `settled`, or however this balancer learns it. At most one of seven is unfit at a time.
     */
    eject(balancer: Tested, candidate: Candidate): void
    /** Makes it fit again. Left out when only time does it. */
    readmit?(balancer: Tested, candidate: Candidate): void
  }
}
