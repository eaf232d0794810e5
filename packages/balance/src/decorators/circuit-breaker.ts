import type { Balancer } from '@conclave/interface'
import type { BalanceCandidate } from '../candidate.ts'
import { positive, positiveInteger } from '../checks.ts'
import { Aligned } from '../tracking/aligned.ts'
import { type InFlight, Tracked } from '../tracking/tracked.ts'
import { Chosen } from './chosen.ts'
import { type HealthAware, healthAware } from './health-aware.ts'

export interface CircuitBreakerInit {
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Requests in flight to a candidate at most. At least 1. Default 1024, Envoy's. */
  readonly maxInFlight?: number
  /** So many errors in a row open the circuit of a candidate. At least 1. Default 5. */
  readonly consecutiveErrors?: number
  /** Milliseconds that it stays open. Above 0. Default 5,000. */
  readonly openTime?: number
  /** Requests at a time that try whether it is well again, when it is half open. At least 1. Default 1. */
  readonly trials?: number
}

export type CircuitState = 'closed' | 'open' | 'half-open'

/** A balancer with a circuit for each candidate. */
export interface CircuitBreaker<Request, Candidate> extends HealthAware<Request, Candidate> {
  /** What the circuit of a candidate is at this moment; closed for a stranger. */
  stateOf(candidate: Candidate): CircuitState
}

class Circuit implements InFlight {
  pending = 0
  errorsInRow = 0
  /** Set from the opening until a trial succeeded. */
  broken = false
  openUntil = 0
}

/**
 * Bounds the requests in flight to each candidate, and stops sending to one that fails (Nygard, "Release It!", 2007, "Circuit Breaker"): after errors
 * in a row its circuit is open, and nothing is sent to it for a while; then it is half open, and a few trials are. A success closes it, an error
 * opens it again. Picks nobody when all candidates are full or open: the caller fails fast then, which is the purpose.
 *
 * Results while a circuit is open count for nothing. Results do not say which request they belong to: one from before the opening that ends when it
 * is half open counts as a trial's.
 *
 * A pick takes O(n), and allocates nothing while the candidates stay; memory O(n). One that leaves and comes back still has the requests that did not
 * end meanwhile. `settled` must be told once for each pick.
 * @throws RangeError for a number out of its bounds.
 */
export const circuitBreaker = <Request, C extends BalanceCandidate>(
  inner: Balancer<Request, C>,
  { now, maxInFlight = 1024, consecutiveErrors = 5, openTime = 5000, trials = 1 }: CircuitBreakerInit,
): CircuitBreaker<Request, C> => {
  positiveInteger('maxInFlight', maxInFlight)
  positiveInteger('consecutiveErrors', consecutiveErrors)
  positive('openTime', openTime)
  positiveInteger('trials', trials)
  const within = healthAware(inner)
  const circuits = new Tracked(() => new Circuit())
  const aligned = new Aligned(circuits)
  const { states } = aligned
  const chosen = new Chosen<C>()
  let time = 0
  const stateOf = (circuit: Circuit): CircuitState =>
    !circuit.broken ? 'closed' : time < circuit.openUntil ? 'open' : 'half-open'
  const room = (_: C, at: number): boolean => (states[at]?.pending ?? 0) < maxInFlight
  const admitted = (_: C, at: number): boolean => {
    const circuit = states[at]
    if (circuit === undefined) return false
    switch (stateOf(circuit)) {
      case 'closed':
        return circuit.pending < maxInFlight
      case 'open':
        return false
      case 'half-open':
        return circuit.pending < Math.min(trials, maxInFlight)
    }
  }
  const follow = (candidates: readonly C[]): void => {
    time = now()
    aligned.changed(candidates)
  }
  const sent = (picked: C | undefined, candidates: readonly C[]): C | undefined => {
    if (picked !== undefined) circuits.of(picked, candidates).pending++
    return picked
  }
  const judge = (circuit: Circuit, failed: boolean): void => {
    const state = stateOf(circuit)
    if (state === 'open') return
    circuit.errorsInRow = failed ? circuit.errorsInRow + 1 : 0
    if (!failed) circuit.broken = false
    else if (state === 'half-open' || circuit.errorsInRow >= consecutiveErrors) {
      circuit.broken = true
      circuit.openUntil = time + openTime
    }
  }
  const current = (candidate: C): CircuitState => {
    time = now()
    const circuit = circuits.get(candidate)
    return circuit === undefined ? 'closed' : stateOf(circuit)
  }
  return {
    stateOf: current,
    fit: (candidate) => current(candidate) !== 'open' && within.fit(candidate),
    pick: (request, candidates) => {
      follow(candidates)
      return sent(within.pick(request, chosen.of(candidates, admitted)), candidates)
    },
    pickAny: (request, candidates) => {
      follow(candidates)
      return sent(within.pickAny(request, chosen.of(candidates, room)), candidates)
    },
    settled: (candidate, result) => {
      time = now()
      const circuit = circuits.ended(candidate)
      if (circuit !== undefined) judge(circuit, result.error !== undefined)
      within.settled?.(candidate, result)
    },
  }
}
