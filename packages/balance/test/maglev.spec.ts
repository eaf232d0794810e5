import { seededRandom } from '@conclave/interface'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MaglevTable } from '../src/hashing/maglev-table.ts'
import { murmur3 } from '../src/hashing/murmur3.ts'
import { maglev } from '../src/index.ts'
import { Roster } from '../src/roster.ts'

const tableOf = (candidates: readonly { id: string; weight?: number }[], slots: number): (string | undefined)[] => {
  const roster = new Roster()
  roster.changed(candidates)
  const table = new MaglevTable(roster, slots)
  return Array.from({ length: slots }, (_, slot) => candidates[table.ownerAt(slot)]?.id)
}

/** The pseudo code of the paper, word by word: permutations as whole lists, then POPULATE. Backends are in the order of their names. */
const populate = (names: readonly string[], M: number): (string | undefined)[] => {
  const hash = (name: string, seed: number): number => {
    const bytes = new TextEncoder().encode(name)
    return murmur3(bytes, bytes.length, seed) >>> 0
  }
  const permutation = names.map((name) => {
    const offset = hash(name, 0x6d61676c) % M
    const skip = (hash(name, 0x65762d73) % (M - 1)) + 1
    return Array.from({ length: M }, (_, j) => (offset + j * skip) % M)
  })
  const next = names.map(() => 0)
  const entry: number[] = new Array(M).fill(-1)
  let n = 0
  for (;;) {
    for (let i = 0; i < names.length; i++) {
      let c = permutation[i]![next[i]!]!
      while (entry[c]! >= 0) {
        next[i]!++
        c = permutation[i]![next[i]!]!
      }
      entry[c] = i
      next[i]!++
      n++
      if (n === M) return entry.map((backend) => names[backend])
    }
  }
}

const idsOf = (count: number): string[] =>
  Array.from({ length: count }, (_, at) => `backend-${String(at).padStart(3, '0')}`)
const primes = fc.constantFrom(13, 101, 251, 1009)

describe('maglev', () => {
  test('fills its table as the pseudo code of the paper does', () => {
    const some = fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 13 })
    fc.assert(
      fc.property(some, primes, (ids, slots) => {
        const candidates = ids.map((id) => ({ id }))
        expect(tableOf(candidates, slots)).toEqual(
          populate(
            ids.toSorted((a, b) => (a < b ? -1 : 1)),
            slots,
          ),
        )
      }),
      { seed: 1 },
    )
  })

  test('everybody has as many slots as anybody else, or one more', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 13 }), primes, (count, slots) => {
        const table = tableOf(
          idsOf(count).map((id) => ({ id })),
          slots,
        )
        const counts = idsOf(count).map((id) => table.filter((owner) => owner === id).length)
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
      }),
      { seed: 1 },
    )
  })

  test('slots are in proportion to the weights, to within one round', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { minLength: 1, maxLength: 20 }),
        (weights) => {
          const candidates = weights.map((weight, at) => ({ id: `${at}`, weight }))
          const table = tableOf(candidates, 10_007)
          const heaviest = Math.max(...weights)
          const rounds = table.filter((owner) => owner === `${weights.indexOf(heaviest)}`).length
          for (const { id, weight } of candidates) {
            const count = table.filter((owner) => owner === id).length
            expect(Math.abs(count - (rounds * weight) / heaviest)).toBeLessThanOrEqual(1.01 + weight / heaviest)
          }
        },
      ),
      { seed: 1, numRuns: 50 },
    )
  })

  test.each([0, 1, 2, 4, 65_536, 9_999_991, 7.5, Number.NaN])('a table of %d slots is refused', (tableSize) => {
    expect(() => maglev({ random: seededRandom(1), tableSize })).toThrow(/tableSize is a prime from 3 to 5000011/)
  })

  test('more candidates than slots are refused', () => {
    const balancer = maglev({ random: seededRandom(1), tableSize: 3 })
    expect(() =>
      balancer.pick(
        { key: 'a' },
        idsOf(4).map((id) => ({ id })),
      ),
    ).toThrow(/4 candidates for 3 slots/)
  })
})
