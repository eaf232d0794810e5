import { seededRandom } from '@conclave/interface'
import fc from 'fast-check'
import HashRing from 'hashring'
import { describe, expect, test } from 'vitest'
import { KetamaRing } from '../src/hashing/ketama-ring.ts'
import { type BalanceCandidate, boundedLoad, ringHash } from '../src/index.ts'
import { Roster } from '../src/roster.ts'
import { continuumOf, ownerIn } from './reference-ring.ts'

const serversOf = (count: number): string[] => Array.from({ length: count }, (_, at) => `10.0.1.${at}:11211`)
const keys = Array.from({ length: 2000 }, (_, at) => `key:${at}`)
const picker = () => {
  const balancer = ringHash({ random: seededRandom(1) })
  return (key: string | Uint8Array, servers: readonly string[], weights?: readonly number[]) =>
    balancer.pick(
      { key },
      servers.map((id, at) => ({ id, weight: weights?.[at] ?? 1 })),
    )?.id
}

describe('ring hash', () => {
  test('has the continuum of libketama: 160 points a server, 39 digests where single precision rounds down', () => {
    const points = (count: number): number => {
      const roster = new Roster()
      roster.changed(serversOf(count).map((id) => ({ id })))
      return new KetamaRing(roster).size
    }
    expect([1, 2, 3, 7, 10, 60, 61, 62].map((count) => points(count) / count)).toEqual([
      160, 160, 160, 160, 160, 160, 156, 160,
    ])
  })

  test.each([1, 2, 3, 7, 10, 61])('agrees with a second implementation on OpenSSL, %i servers', (count) => {
    const servers = serversOf(count)
    const continuum = continuumOf(servers)
    const pick = picker()
    for (const key of keys.slice(0, 300)) expect(pick(key, servers)).toBe(ownerIn(continuum, key))
  })

  test('agrees with a second implementation for any ids, weights and keys', () => {
    const some = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 8 })
    const weighted = some.chain((ids) =>
      fc.tuple(fc.constant(ids), fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 8, maxLength: 8 })),
    )
    fc.assert(
      fc.property(weighted, fc.string({ unit: 'grapheme' }), ([ids, weights], key) => {
        const continuum = continuumOf(ids, weights.slice(0, ids.length))
        expect(picker()(key, ids, weights)).toBe(ownerIn(continuum, key))
      }),
      { seed: 1 },
    )
  })

  // With 7, 14 or 28 servers of equal weight hashring, which computes in double precision, makes 39 digests of each.
  test.each([1, 2, 3, 4, 5, 6, 8, 9, 10, 20])(
    'sends keys where the package hashring sends them, %i servers',
    (count) => {
      const servers = serversOf(count)
      const [ring, pick] = [new HashRing(servers), picker()]
      for (const key of keys) expect(pick(key, servers)).toBe(ring.get(key))
    },
  )

  test('sends keys where the package hashring sends them, with weights', () => {
    const weights = { '10.0.1.0:11211': 600, '10.0.1.1:11211': 300, '10.0.1.2:11211': 200, '10.0.1.3:11211': 350 }
    const [ring, pick] = [new HashRing(weights), picker()]
    for (const key of keys) expect(pick(key, Object.keys(weights), Object.values(weights))).toBe(ring.get(key))
  })

  test('a key of bytes is the key of the text that they encode', () => {
    const pick = picker()
    for (const key of ['a', 'ä', '漢字 😀'])
      expect(pick(new TextEncoder().encode(key), serversOf(5))).toBe(pick(key, serversOf(5)))
  })

  test('a request without a key goes anywhere', () => {
    const balancer = ringHash<BalanceCandidate>({ random: seededRandom(1) })
    const candidates = serversOf(5).map((id) => ({ id }))
    expect(new Set(Array.from({ length: 200 }, () => balancer.pick({}, candidates)?.id)).size).toBe(5)
  })
})

describe('bounded load', () => {
  const candidates = serversOf(10).map((id) => ({ id }))

  test('nobody has more than its bound in flight, whatever the keys', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant('hot'), fc.string()), { maxLength: 200 }),
        fc.double({ min: 1.01, max: 3, noNaN: true }),
        (all, balance) => {
          const balancer = boundedLoad<BalanceCandidate>({ random: seededRandom(1), balance })
          const load = new Map<string, number>()
          for (const [inFlight, key] of all.entries()) {
            const picked = balancer.pick({ key }, candidates)
            if (picked === undefined) throw new Error('nobody was picked')
            const mine = (load.get(picked.id) ?? 0) + 1
            load.set(picked.id, mine)
            expect(mine).toBeLessThanOrEqual(Math.ceil((balance * (inFlight + 1)) / candidates.length))
          }
        },
      ),
      { seed: 1 },
    )
  })

  test('a key goes where the ring says, and to the next on the circle when that one is full', () => {
    const continuum = continuumOf(serversOf(10))
    const [ring, balancer] = [picker(), boundedLoad<BalanceCandidate>({ random: seededRandom(1) })]
    for (const key of keys.slice(0, 200)) {
      const first = balancer.pick({ key }, candidates)
      expect(first?.id).toBe(ring(key, serversOf(10)))
      // One in flight: the bound of each is ceil(1.25 × 2 / 10) = 1.
      const second = balancer.pick({ key }, candidates)
      expect(second?.id).toBe(
        ownerIn(
          continuum.filter(([, server]) => server !== first?.id),
          key,
        ),
      )
      for (const picked of [first, second]) if (picked !== undefined) balancer.settled?.(picked, { latency: 1 })
    }
  })

  test('counts come right when a candidate leaves with requests under way, and comes back', () => {
    const balancer = boundedLoad<BalanceCandidate>({ random: seededRandom(1) })
    const one = balancer.pick({ key: 'hot' }, candidates)
    if (one === undefined) throw new Error('nobody was picked')
    const others = candidates.filter((candidate) => candidate !== one)
    const two = balancer.pick({ key: 'hot' }, others)
    expect(balancer.pick({ key: 'hot' }, candidates)).not.toBe(one)
    balancer.settled?.(one, { latency: 1 })
    balancer.settled?.(one, { latency: 1 })
    expect(balancer.pick({ key: 'hot' }, candidates)).toBe(one)
    expect(two).not.toBe(one)
  })

  test.each([1, 0, -1, Number.NaN, Number.POSITIVE_INFINITY])('a balance of %d is refused', (balance) => {
    expect(() => boundedLoad({ random: seededRandom(1), balance })).toThrow(/balance is a finite number above 1/)
  })
})
