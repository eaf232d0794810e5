import type { SuiteTest } from '../suite.ts'
import { assertShares } from './chi-square.ts'
import type { PerSeed } from './per-seed.ts'
import type { BalancerSubject } from './subject.ts'
import type { Traffic } from './traffic.ts'

/** Enough to see a share that is wrong by a tenth. */
const requests = 60_000

/** Uneven, with a candidate that is drained, and one that has most of it. */
const uneven = [1, 0, 3, 20, 2, 5, 4]

const countsOf = <Request, Candidate>(
  traffic: Traffic<Request, Candidate>,
  candidates: readonly Candidate[],
): number[] => {
  const counts = new Map(candidates.map((candidate) => [candidate, 0]))
  for (let at = 0; at < requests; at++) {
    const picked = traffic.send(candidates)
    counts.set(picked, (counts.get(picked) ?? 0) + 1)
  }
  return [...counts.values()]
}

/** Whether everybody gets what is due. */
export const sharing = <Request, Candidate>(
  subject: BalancerSubject<Request, Candidate>,
  perSeed: PerSeed<Request, Candidate>,
): readonly SuiteTest[] => {
  const { shares, weights } = subject
  const noShares = shares === undefined && { skipped: 'the subject does not say which `shares` are right' }
  const noWeights = weights === undefined && { skipped: 'the subject knows no `weights`' }
  const due = (candidates: readonly Candidate[]): readonly number[] => shares?.call(subject, candidates) ?? []
  const weighing = (index: number, weight: number): Candidate =>
    weights?.candidate(index, weight) ?? subject.candidate(index)
  return [
    {
      ...perSeed('shares: each candidate gets its share of the requests', (traffic, candidates) => {
        assertShares(countsOf(traffic, candidates), due(candidates))
      }),
      ...noShares,
    },
    {
      ...perSeed('weights: each candidate gets its share, also when weights change', (traffic) => {
        for (const weighted of [uneven, uneven.toReversed()]) {
          const candidates = weighted.map((weight, index) => weighing(index, weight))
          assertShares(countsOf(traffic, candidates), due(candidates))
        }
      }),
      ...noShares,
      ...noWeights,
    },
    {
      ...perSeed('weights: a candidate with the weight 0 gets nothing, and nobody if all have it', (traffic) => {
        const drained = uneven.map((_, index) => weighing(index, index === 2 ? 5 : 0))
        const nobody = uneven.map((_, index) => weighing(index, 0))
        for (let at = 0; at < 100; at++) {
          if (traffic.send(drained) !== drained[2]) throw new Error('a candidate with the weight 0 was picked')
          if (traffic.ask(nobody) !== undefined) throw new Error('one was picked, and all have the weight 0')
        }
      }),
      ...noWeights,
    },
  ]
}
