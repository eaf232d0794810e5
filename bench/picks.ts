/** Picks in a second of each load-balancing strategy, and of the package `hashring` in the same run. In this process; no cluster. */
import { type BalanceCandidate, strategies, strategyNames } from '@conclave/balance'
import { seededRandom } from '@conclave/interface'
import HashRing from 'hashring'
import { median, range, table } from './figures.ts'

export interface PickRound {
  readonly candidates: number
  readonly strategy: string
  readonly picksPerSecond: number
}

const reference = 'hashring'
/** The same with so few keys that it remembers the server of each: it keeps those of 5,000. */
const cached = 'hashring, cached'
const fewKeys = 1000
const keys = Array.from({ length: 20_000 }, (_, at) => ({ key: `user:${at}` }))
const candidateCounts = [10, 100]
const result = { latency: 5 }

/** @param pick takes the number of a pick. */
const rate = (millis: number, pick: (at: number) => void): number => {
  const batch = 1000
  let picks = 0
  const began = performance.now()
  let passed = 0
  while (passed < millis) {
    for (let at = 0; at < batch; at++) pick(picks + at)
    picks += batch
    passed = performance.now() - began
  }
  return (picks * 1000) / passed
}

const pickers = (count: number): Readonly<Record<string, (at: number) => void>> => {
  const candidates: BalanceCandidate[] = Array.from({ length: count }, (_, at) => ({ id: `10.0.0.${at}:11211` }))
  const keyAt = (at: number) => keys[at % keys.length] ?? { key: '' }
  const made: Record<string, (at: number) => void> = {}
  for (const name of strategyNames) {
    const balancer = strategies[name].factory({ random: seededRandom(1), now: () => performance.now() })
    made[name] = (at) => {
      const picked = balancer.pick(keyAt(at), candidates)
      if (picked !== undefined) balancer.settled?.(picked, result)
    }
  }
  const ring = new HashRing(candidates.map(({ id }) => id))
  made[reference] = (at) => {
    ring.get(keyAt(at).key)
  }
  const remembering = new HashRing(candidates.map(({ id }) => id))
  made[cached] = (at) => {
    remembering.get(keyAt(at % fewKeys).key)
  }
  return made
}

/** One round: strategies one after the other, so that what a machine does meanwhile meets them all over many rounds. @param scale times the usual length. */
export const measurePicks = (scale: number): PickRound[] =>
  candidateCounts.flatMap((candidates) =>
    Object.entries(pickers(candidates)).map(([strategy, pick]) => {
      rate(200 * scale, pick)
      return { candidates, strategy, picksPerSecond: rate(500 * scale, pick) }
    }),
  )

export const pickTable = (rounds: readonly PickRound[]): string => {
  const of = (strategy: string, candidates: number): number[] =>
    rounds.filter((one) => one.strategy === strategy && one.candidates === candidates).map((one) => one.picksPerSecond)
  const rows = [...strategyNames, reference, cached].map((strategy) => ({
    strategy,
    ...Object.fromEntries(
      candidateCounts.flatMap((candidates) => {
        const own = of(strategy, candidates)
        const others = of(reference, candidates)
        // Of the same round, so that the ratio holds on any machine.
        const ratios = own.map((rate, round) => rate / (others[round] ?? Number.NaN))
        return [
          [`picks/ms, ${candidates}`, range(own.map((rate) => rate / 1000))],
          [`times ${reference}, ${candidates}`, range(ratios, 1)],
          [`ns, ${candidates}`, median(own.map((rate) => 1e9 / rate)).toFixed(0)],
        ]
      }),
    ),
  }))
  return table(`Picks with settled, by number of candidates; median (range). ${reference} has no settled`, rows)
}
