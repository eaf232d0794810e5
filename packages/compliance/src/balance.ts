/**
 * The suite of load balancers.
 *
 * @packageDocumentation
 */
import type { Balancer } from '@conclave/interface'
import { balancing } from './balance/cases.ts'
import type { BalancerSubject } from './balance/subject.ts'
import { Suite, seedsOf } from './suite.ts'

export type { BalancerSubject } from './balance/subject.ts'
export { type ComplianceOptions, Suite, type SuiteTest, type TestRunner } from './suite.ts'

/**
 * What `Balancer` of `@conclave/interface` promises, sentence by sentence. Makes one balancer at once, to see what it offers.
 * @throws RangeError for a number of seeds that is none.
 */
export const balancerCompliance = <
  Request,
  Candidate,
  Tested extends Balancer<Request, Candidate> = Balancer<Request, Candidate>,
>(
  subject: BalancerSubject<Request, Candidate, Tested>,
): Suite => new Suite(`the balancer ${subject.name}`, subject, balancing(subject, seedsOf(subject)))
