import type { Balancer, Random } from '@conclave/interface'
import type { BalanceCandidate, BalanceRequest } from './candidate.ts'
import type { StrategyName } from './names.ts'
import { boundedLoad } from './strategies/bounded-load.ts'
import { leastRequests } from './strategies/least-requests.ts'
import { maglev } from './strategies/maglev.ts'
import { peakEwma } from './strategies/peak-ewma.ts'
import { powerOfTwoChoices } from './strategies/power-of-two-choices.ts'
import { random } from './strategies/random.ts'
import { rendezvous } from './strategies/rendezvous.ts'
import { ringHash } from './strategies/ring-hash.ts'
import { roundRobin } from './strategies/round-robin.ts'
import { smoothWeighted } from './strategies/smooth-weighted.ts'
import { weightedRandom } from './strategies/weighted-random.ts'

/** What any strategy can be made of. */
export interface StrategyInit {
  readonly random: Random
  /** Monotonic milliseconds. */
  readonly now: () => number
}

/** A strategy that can be chosen by its name. */
export interface Strategy {
  /** A new balancer, with the defaults of the strategy. */
  factory<C extends BalanceCandidate>(init: StrategyInit): Balancer<BalanceRequest, C>
  /**
   * What it goes by: keys of requests, weights of candidates, latencies (and the end of each request) from `settled`, requests in flight (their end
   * only).
   */
  readonly needs: {
    readonly key?: true
    readonly weights?: true
    readonly latency?: true
    readonly inFlight?: true
  }
  /** One line. */
  readonly summary: string
  /** Where it is from. */
  readonly source: string
}

/** Every strategy by its name. */
export const strategies: Readonly<Record<StrategyName, Strategy>> = {
  random: {
    factory: random,
    needs: {},
    summary: 'each candidate with the same probability',
    source: 'Raab and Steger, Balls into Bins, RANDOM 1998',
  },
  'weighted-random': {
    factory: weightedRandom,
    needs: { weights: true },
    summary: 'each candidate with a probability in proportion to its weight',
    source: 'Vose, IEEE TSE 17(9), 1991 (alias method)',
  },
  'round-robin': {
    factory: roundRobin,
    needs: {},
    summary: 'one candidate after the other',
    source: 'Nagle, RFC 970, 1985',
  },
  'smooth-weighted': {
    factory: smoothWeighted,
    needs: { weights: true },
    summary: 'turns in proportion to the weights, without bursts',
    source: 'nginx, smooth weighted round robin, 2012',
  },
  'least-requests': {
    factory: leastRequests,
    needs: { weights: true, inFlight: true },
    summary: 'the candidate with the fewest requests in flight',
    source: 'Envoy, weighted least request',
  },
  p2c: {
    factory: powerOfTwoChoices,
    needs: { inFlight: true },
    summary: 'of two at random the one with fewer requests in flight',
    source: 'Mitzenmacher, IEEE TPDS 12(10), 2001',
  },
  'peak-ewma': {
    factory: peakEwma,
    needs: { latency: true, inFlight: true },
    summary: 'of two at random the one with the lower latency times requests in flight',
    source: 'Finagle, peak EWMA',
  },
  'ring-hash': {
    factory: ringHash,
    needs: { key: true, weights: true },
    summary: 'the candidate of the key on a ring',
    source: 'Karger et al., STOC 1997; libketama, 2007',
  },
  maglev: {
    factory: maglev,
    needs: { key: true, weights: true },
    summary: 'the candidate of the key in a table with even shares',
    source: 'Eisenbud et al., NSDI 2016, section 3.4',
  },
  rendezvous: {
    factory: rendezvous,
    needs: { key: true, weights: true },
    summary: 'the candidate with the highest hash together with the key',
    source: 'Thaler and Ravishankar, ToN 6(1), 1998; weights: Schindelhauer and Schomaker, SPAA 2005; Resch, SDC 2015',
  },
  'bounded-load': {
    factory: boundedLoad,
    needs: { key: true, weights: true, inFlight: true },
    summary: 'the candidate of the key on a ring, unless it has more than its part in flight',
    source: 'Mirrokni, Thorup and Zadimoghaddam, 2016',
  },
}

/** Whether there is a strategy of this name. */
export const isStrategyName = (name: string): name is StrategyName => Object.hasOwn(strategies, name)
