/** A failing plan made small: fewer faults, clients, operations and nodes, calmer weather, shorter times, while it still fails. */
import { ConclaveError } from '@conclave/interface'
import type { Plan } from './plan.ts'
import { ddmin } from './shrink/ddmin.ts'
import {
  calmerWeather,
  fewerClients,
  fewerNodes,
  fewerOperations,
  idealTraits,
  lessBroken,
  milderFaults,
  roomierMessages,
  shorterRun,
} from './shrink/simpler.ts'

export interface ShrinkOptions {
  /** Calls of `fails` at the most. Default 500. */
  readonly maxRuns?: number
  /**
   * Other seeds that a smaller plan is tried with when it does not fail under its own: what is left out shifts delays and time-outs, and a
   * failure that needs them just so is missed. Then the seed of the result is another one. Default 3.
   */
  readonly variants?: number
  /** Told after every run: how many there were, and the smallest plan so far. */
  readonly onProgress?: (progress: { readonly runs: number; readonly plan: Plan }) => void
}

export interface Shrunk {
  /** The smallest plan that was seen to fail. */
  readonly plan: Plan
  /** Calls of `fails`. */
  readonly runs: number
}

/** The plan that was to be shrunk does not fail. */
export class PlanDoesNotFail extends ConclaveError {
  override readonly name = 'PlanDoesNotFail'
  readonly code = 'plan-does-not-fail'
  readonly definite = true
}

/** Tried in this order, again and again until none of them gets anywhere. */
const passes: readonly ((plan: Plan) => readonly Plan[])[] = [
  fewerClients,
  fewerOperations,
  lessBroken,
  fewerNodes,
  calmerWeather,
  roomierMessages,
  idealTraits,
  milderFaults,
  shorterRun,
]

/** Seeds far from those that people try one after the other. */
const variantOf = (seed: number, variant: number): number => ((seed % 1_000_000) + variant * 1_000_003) % 2 ** 31

class Shrinker {
  plan: Plan
  runs = 0
  readonly #fails: (plan: Plan) => Promise<boolean>
  readonly #maxRuns: number
  readonly #variants: number
  readonly #onProgress: ShrinkOptions['onProgress']
  /** Plans that were run, so that a pass which comes again costs nothing. */
  readonly #seen = new Set<string>()

  constructor(plan: Plan, fails: (plan: Plan) => Promise<boolean>, options: ShrinkOptions) {
    this.plan = plan
    this.#fails = fails
    this.#maxRuns = Math.max(1, options.maxRuns ?? 500)
    this.#variants = options.variants ?? 3
    this.#onProgress = options.onProgress
  }

  get spent(): boolean {
    return this.runs >= this.#maxRuns
  }

  /** Tries a smaller plan, under its own seed and then under others. */
  async smaller(plan: Plan): Promise<boolean> {
    if (await this.try(plan)) return true
    for (let variant = 1; variant <= this.#variants; variant++)
      if (await this.try({ ...plan, seed: variantOf(plan.seed, variant) })) return true
    return false
  }

  /** Runs a plan that was not run before, and takes it if it fails. */
  async try(plan: Plan): Promise<boolean> {
    if (this.spent) return false
    const key = JSON.stringify(plan)
    if (this.#seen.has(key)) return false
    this.#seen.add(key)
    this.runs += 1
    const failed = await this.#fails(plan)
    if (failed) this.plan = plan
    this.#onProgress?.({ runs: this.runs, plan: this.plan })
    return failed
  }

  async faults(): Promise<void> {
    await ddmin(this.plan.faults, (faults) => this.smaller({ ...this.plan, faults }))
  }

  /** After a step that got somewhere its steps are made anew, from the smaller plan. */
  async pass(simpler: (plan: Plan) => readonly Plan[]): Promise<void> {
    for (;;) {
      let smaller = false
      for (const candidate of simpler(this.plan)) {
        if (await this.smaller(candidate)) {
          smaller = true
          break
        }
      }
      if (!smaller) return
    }
  }
}

/**
 * Delta debugging (Zeller and Hildebrandt, IEEE TSE 28(2), 2002) over the faults of a plan, then fewer clients, operations, broken parts and
 * nodes (the others are numbered anew, faults that name a missing one go), calmer weather, exact clocks and quick disks, shorter faults and a
 * shorter run; all of it again until nothing more can be left out, or `maxRuns` is reached. Deterministic, if `fails` is.
 *
 * @param fails whether a run of this plan fails *in the same way*: the caller compares the invariant.
 * @returns a plan that was seen to fail, maybe the one that was given.
 * @throws PlanDoesNotFail if the given plan does not.
 */
export const shrink = async (
  plan: Plan,
  fails: (plan: Plan) => Promise<boolean>,
  options: ShrinkOptions = {},
): Promise<Shrunk> => {
  const shrinker = new Shrinker(plan, fails, options)
  if (!(await shrinker.try(plan)))
    throw new PlanDoesNotFail(`the plan of seed ${plan.seed} does not fail: there is nothing to shrink`)
  let before: Plan | undefined
  while (before !== shrinker.plan && !shrinker.spent) {
    before = shrinker.plan
    await shrinker.faults()
    for (const simpler of passes) await shrinker.pass(simpler)
  }
  return { plan: shrinker.plan, runs: shrinker.runs }
}
