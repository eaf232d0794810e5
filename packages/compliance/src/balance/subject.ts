import type { Balancer, Random } from '@conclave/interface'
import type { ComplianceOptions } from '../suite.ts'

/** A balancer to be tested. */
export interface BalancerSubject<Request, Candidate> extends ComplianceOptions {
  /** As it stands in reports. */
  readonly name: string
  /** A new balancer. All that it draws comes from `random`; if it needs the time, from a clock that stands still. */
  balancer(random: Random): Balancer<Request, Candidate>
  /** Candidate number `index`, from 0 up: each another one, all alike in weight and health. */
  candidate(index: number): Candidate
  /** Request number `index`, from 0 up: each another one. */
  request(index: number): Request
}
