import assert from 'node:assert/strict'
import type { Balancer } from '@conclave/interface'
import type { SuiteTest } from '../suite.ts'
import type { PerSeed } from './per-seed.ts'
import type { BalancerSubject } from './subject.ts'
import { Traffic } from './traffic.ts'

const keys = 2000

/** Where each key goes, one after the other: the candidates, in the order of the keys. */
type Places<Candidate> = readonly (Candidate | undefined)[]

/** How many of the keys that were not at `except` are somewhere else now. */
const movedOf = <Candidate>(
  before: Places<Candidate>,
  after: Places<Candidate>,
  except: Candidate | undefined,
): number => {
  const others = [...before.keys()].filter((at) => before[at] !== except)
  return others.filter((at) => before[at] !== after[at]).length / others.length
}

/** Whether keys stay where they are. */
export const keeping = <Request, Candidate>(
  subject: BalancerSubject<Request, Candidate>,
  perSeed: PerSeed<Request, Candidate>,
): readonly SuiteTest[] => {
  const { keys: trait } = subject
  const none = trait === undefined && { skipped: 'the subject knows no `keys`' }
  const most = trait?.moved ?? 0

  /** Sends one request after the other: the same key twice in a row may find its candidate busy otherwise. */
  const places = (balancer: Balancer<Request, Candidate>, candidates: readonly Candidate[]): Places<Candidate> =>
    Array.from({ length: keys }, (_, at) => {
      const picked = balancer.pick(trait?.request(`key ${at}`) ?? subject.request(at), candidates)
      if (picked !== undefined) balancer.settled?.(picked, { latency: 5 })
      return picked
    })
  const assertMoved = (moved: number, what: string): void =>
    assert.ok(moved <= most, `${(moved * 100).toFixed(2)} % ${what}; at most ${most * 100} % may`)

  const keyed: PerSeed<Request, Candidate> = (name, body) => ({ ...perSeed(name, body), ...none })
  return [
    keyed('keys: the same key has the same candidate', ({ balancer }, candidates) => {
      const first = places(balancer, candidates)
      assert.deepEqual(places(balancer, candidates), first, 'asked again, keys went elsewhere')
    }),
    keyed('keys: neither the order of the candidates nor the seed matters', ({ balancer }, candidates, seed) => {
      const first = places(balancer, candidates)
      assert.deepEqual(places(balancer, candidates.toReversed()), first, 'in another order keys went elsewhere')
      const other = new Traffic(subject, seed + 1000).balancer
      assert.deepEqual(places(other, candidates), first, 'with another seed keys went elsewhere')
    }),
    keyed('keys: when a candidate leaves, hardly any but its keys move', ({ balancer }, candidates) => {
      const before = places(balancer, candidates)
      for (const gone of candidates) {
        const left = candidates.filter((candidate) => candidate !== gone)
        assertMoved(movedOf(before, places(balancer, left), gone), 'of the keys of those who stayed moved')
      }
    }),
    keyed('keys: when a candidate comes, hardly any key moves but to it', ({ balancer }, candidates) => {
      const [newcomer, ...rest] = candidates
      const before = places(balancer, rest)
      const after = places(balancer, candidates)
      const elsewhere = before.filter((place, at) => after[at] !== place && after[at] !== newcomer).length
      assertMoved(elsewhere / keys, 'of the keys moved to somebody else than the newcomer')
      assert.ok(after.includes(newcomer), 'the newcomer has no keys')
      assert.deepEqual(places(balancer, rest), before, 'when it left again, keys were not where they had been')
    }),
  ]
}
