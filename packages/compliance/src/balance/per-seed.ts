import { eachSeed, type SuiteTest } from '../suite.ts'
import type { BalancerSubject } from './subject.ts'
import { candidatesOf, Traffic } from './traffic.ts'

/** Candidates of a test. */
export const some = 7

/** A test that runs for each seed, with a new balancer. */
export type PerSeed<Request, Candidate> = (
  name: string,
  body: (traffic: Traffic<Request, Candidate>, candidates: Candidate[], seed: number) => void,
) => SuiteTest

export const perSeedOf =
  <Request, Candidate>(
    subject: BalancerSubject<Request, Candidate>,
    seeds: readonly number[],
  ): PerSeed<Request, Candidate> =>
  (name, body) => ({
    name,
    run: () => eachSeed(seeds, (seed) => body(new Traffic(subject, seed), candidatesOf(subject, some), seed)),
  })
