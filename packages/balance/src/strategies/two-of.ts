import type { Random } from '@conclave/interface'
import type { BalanceCandidate } from '../candidate.ts'
import type { InFlight, Tracked } from '../tracking/tracked.ts'

/** An index below `count` other than `at`, each with the same probability; out of bounds if there is none. */
const anotherOf = (count: number, at: number, random: Random): number => {
  if (count < 2) return count
  const drawn = Math.floor(random.next() * (count - 1))
  return drawn < at ? drawn : drawn + 1
}

/** Of two candidates drawn at random the first, or the second if that `isBetter`; it has one more in flight then. Undefined if there is none. */
export const betterOfTwo = <C extends BalanceCandidate, S extends InFlight>(
  candidates: readonly C[],
  tracked: Tracked<S>,
  random: Random,
  isBetter: (second: S, first: S) => boolean,
): C | undefined => {
  const count = candidates.length
  const at = Math.floor(random.next() * count)
  const one = candidates[at]
  if (one === undefined) return undefined
  const state = tracked.of(one, candidates)
  const other = candidates[anotherOf(count, at, random)]
  const otherState = other === undefined ? undefined : tracked.of(other, candidates)
  if (otherState !== undefined && isBetter(otherState, state)) {
    otherState.pending++
    return other
  }
  state.pending++
  return one
}
