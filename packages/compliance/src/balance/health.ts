import assert from 'node:assert/strict'
import type { SuiteTest } from '../suite.ts'
import type { PerSeed } from './per-seed.ts'
import type { BalancerSubject } from './subject.ts'
import type { Traffic } from './traffic.ts'

/** Each of seven is picked in so many requests. */
const many = 1000

const pickedOf = <Request, Candidate>(
  traffic: Traffic<Request, Candidate>,
  candidates: readonly Candidate[],
): ReadonlySet<Candidate> => {
  const picked = new Set<Candidate>()
  for (let at = 0; at < many; at++) picked.add(traffic.send(candidates))
  return picked
}

/** Whether those who are not fit are left out. */
export const leavingOut = <Request, Candidate>(
  subject: BalancerSubject<Request, Candidate>,
  perSeed: PerSeed<Request, Candidate>,
): readonly SuiteTest[] => {
  const { health } = subject
  const none = health === undefined && { skipped: 'the subject knows no `health`' }
  const still = health?.readmit === undefined && { skipped: 'nothing but time makes a candidate fit again' }
  const judged: PerSeed<Request, Candidate> = (name, body) => ({ ...perSeed(name, body), ...none })

  const assertOut = (traffic: Traffic<Request, Candidate>, candidates: readonly Candidate[], unfit: Candidate) => {
    const picked = pickedOf(traffic, candidates)
    assert.ok(!picked.has(unfit), 'a candidate that is not fit was picked')
    assert.equal(picked.size, candidates.length - 1, 'a candidate that is fit was never picked')
  }
  /** The third is seen at work first, and is no longer fit then. */
  const ejected = (traffic: Traffic<Request, Candidate>, candidates: readonly Candidate[]): Candidate => {
    pickedOf(traffic, candidates)
    const unfit = candidates[2] ?? subject.candidate(2)
    health?.eject(traffic.balancer, unfit)
    return unfit
  }
  return [
    judged('health: one that is not fit is not picked, the others are', (traffic, candidates) => {
      const unfit = ejected(traffic, candidates)
      assertOut(traffic, candidates, unfit)
      assertOut(traffic, candidates.toReversed(), unfit)
    }),
    judged('health: late results of one that is not fit do not bring it back', (traffic, candidates) => {
      const unfit = ejected(traffic, candidates)
      for (let at = 0; at < 10; at++) traffic.balancer.settled?.(unfit, { latency: 5 })
      assertOut(traffic, candidates, unfit)
    }),
    {
      ...judged('health: one that is fit again is picked again', (traffic, candidates) => {
        const unfit = ejected(traffic, candidates)
        assertOut(traffic, candidates, unfit)
        health?.readmit?.(traffic.balancer, unfit)
        assert.equal(pickedOf(traffic, candidates).size, candidates.length, 'a candidate that is fit was never picked')
      }),
      ...still,
      ...none,
    },
  ]
}
