import assert from 'node:assert/strict'
import { drawOf } from '../draw.ts'
import { withoutWorld } from '../purity.ts'
import type { SuiteTest } from '../suite.ts'
import { leavingOut } from './health.ts'
import { keeping } from './keys.ts'
import { type PerSeed, perSeedOf, some } from './per-seed.ts'
import { sharing } from './shares.ts'
import type { BalancerSubject } from './subject.ts'
import { candidatesOf, Traffic } from './traffic.ts'

/** Requests that are many for so few candidates. */
const many = 1000

export const balancing = <Request, Candidate>(
  subject: BalancerSubject<Request, Candidate>,
  seeds: readonly number[],
): readonly SuiteTest[] => {
  const perSeed = perSeedOf(subject, seeds)
  return [
    perSeed('pick: one of the candidates, be they one or many', (traffic, candidates) => {
      for (let count = 1; count <= candidates.length; count++)
        for (let at = 0; at < 50; at++) traffic.send(candidates.slice(0, count))
    }),
    perSeed('pick: undefined of an empty list, before and after there were candidates', (traffic, candidates) => {
      for (let round = 0; round < 3; round++) {
        assert.equal(traffic.ask([]), undefined, 'something was picked of nothing')
        for (let at = 0; at < 20; at++) traffic.send(candidates)
      }
    }),
    perSeed('pick: candidates is read, not changed', (traffic, candidates) => {
      for (const present of [candidates, candidates.toReversed()]) {
        const before = [...present]
        for (let at = 0; at < 50; at++) {
          traffic.send(present)
          assert.deepEqual(present, before, 'the list of candidates was changed')
        }
      }
    }),
    perSeed('pick: candidates is not kept: the caller uses the array for something else', (traffic, candidates) => {
      const strangers = candidatesOf(subject, some * 2).slice(some)
      for (let at = 0; at < 50; at++) {
        const list = [...candidates]
        traffic.send(list)
        list.splice(0, list.length, ...strangers)
      }
    }),
    perSeed('pick: follows candidates that come and go at once', (traffic, candidates, seed) => {
      const draw = drawOf(seed)
      for (let round = 0; round < 100; round++) {
        const present = candidates.filter(() => draw.chance(0.5))
        const list = present.length > 0 ? present : candidates.slice(0, 1)
        for (let at = draw.below(8); at >= 0; at--) traffic.send(list)
      }
    }),
    perSeed('pick: over many requests every candidate is picked, late comers too', (traffic, candidates) => {
      for (const present of [candidates.slice(0, 3), candidates, candidates.slice(3)]) {
        const picked = new Set<Candidate>()
        for (let at = 0; at < many; at++) picked.add(traffic.send(present))
        assert.equal(
          picked.size,
          present.length,
          `of ${present.length} candidates ${picked.size} were picked in ${many} requests`,
        )
      }
    }),
    perSeed('a function of its seed and of the calls: two with the same seed pick alike', (one, candidates, seed) => {
      const other = new Traffic(subject, seed)
      for (let at = 0; at < many; at++) {
        const present = candidates.slice(at % 3)
        assert.equal(other.send(present), one.send(present), `request ${at} of two with the same seed`)
      }
    }),
    perSeed('no clock, no timer, no randomness but its seed', (_, candidates, seed) => {
      withoutWorld('a balancer', () => {
        const traffic = new Traffic(subject, seed)
        for (let at = 0; at < 100; at++) traffic.send(candidates)
      })
    }),
    ...settling(subject, perSeed),
    ...sharing(subject, perSeed),
    ...keeping(subject, perSeed),
    ...leavingOut(subject, perSeed),
  ]
}

const settling = <Request, Candidate>(
  subject: BalancerSubject<Request, Candidate>,
  perSeed: PerSeed<Request, Candidate>,
): readonly SuiteTest[] => {
  const deaf = new Traffic(subject, 1).balancer.settled === undefined
  const told: typeof perSeed = (name, body) => ({
    ...perSeed(name, body),
    ...(deaf && { skipped: 'the balancer learns nothing from results: it has no settled' }),
  })
  return [
    told('settled: of a candidate that is gone, or was never picked, is harmless', (traffic, candidates) => {
      const stranger = subject.candidate(some)
      for (let at = 0; at < 50; at++) {
        traffic.balancer.settled?.(stranger, at % 2 === 0 ? { latency: 0 } : { latency: 100, error: new Error('late') })
        traffic.send(candidates)
      }
    }),
    told('settled: a latency may be anything from 0 up', (traffic, candidates, seed) => {
      const draw = drawOf(seed)
      for (let at = 0; at < many; at++) {
        const latency = [0, Number.MIN_VALUE, draw.next() * 10, 1e9][draw.below(4)] ?? 0
        traffic.balancer.settled?.(traffic.send(candidates), { latency })
      }
    }),
    told(
      'settled: errors of any kind are taken; a pick is one of the candidates, or undefined',
      (traffic, candidates) => {
        const errors = [new Error('reset'), 'a text', null, 0]
        for (let at = 0; at < many; at++) {
          const picked = traffic.ask(candidates)
          if (picked === undefined) continue
          assert.ok(candidates.includes(picked), 'a pick after errors is none of the candidates')
          traffic.balancer.settled?.(picked, { latency: 1, error: errors[at % errors.length] })
        }
      },
    ),
  ]
}
