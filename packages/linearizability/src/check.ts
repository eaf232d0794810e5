import { Budget, type Now } from './budget.ts'
import type { Model, Operation, Partition } from './model.ts'
import { explore } from './search.ts'
import { checkOperations, Timeline } from './timeline.ts'
import { explain, type Window } from './window.ts'

export interface CheckOptions {
  /**
   * Steps of the model after which the verdict is `unknown`: the same in every run, on every machine. Default 10,000,000. Explaining an illegal
   * history takes further steps, of which there is a bound as well.
   */
  readonly maxSteps?: number
  /** Time after which the verdict is `unknown`. Needs `now`. Default: none. */
  readonly timeoutMillis?: number
  /** A clock in milliseconds, `performance.now` for example: this package reads none by itself. */
  readonly now?: Now
}

export type Verdict<Input, Output> =
  | {
      readonly verdict: 'ok'
      /** Steps of the model that it took. */
      readonly steps: number
      /** For each part, an order in which its calls could have happened at once. Open calls that did not happen are not in it. */
      readonly orders: readonly Partition<Input, Output>[]
    }
  | { readonly verdict: 'illegal'; readonly steps: number; readonly window: Window<Input, Output> }
  | {
      /** Neither is known: never take it for a pass. */
      readonly verdict: 'unknown'
      readonly steps: number
      readonly reason: 'steps' | 'time'
      /** Parts that were not finished. */
      readonly partitions: readonly string[]
    }

const defaultMaxSteps = 10_000_000

const budgetOf = ({ maxSteps = defaultMaxSteps, timeoutMillis, now }: CheckOptions): Budget => {
  if (!(maxSteps >= 1)) throw new RangeError(`maxSteps is a positive number, got ${maxSteps}`)
  if (timeoutMillis === undefined) return new Budget(maxSteps)
  if (!(timeoutMillis >= 0)) throw new RangeError(`timeoutMillis is a number of milliseconds, got ${timeoutMillis}`)
  if (now === undefined) throw new RangeError('timeoutMillis needs a clock: pass now as well')
  return new Budget(maxSteps, now() + timeoutMillis, now)
}

const partsOf = <State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
): readonly Partition<Input, Output>[] => {
  if (model.partition === undefined) return [{ name: '', operations }]
  const parts = model.partition(operations)
  const count = parts.reduce((sum, part) => sum + part.operations.length, 0)
  if (count !== operations.length)
    throw new RangeError(`the model ${model.name} splits ${operations.length} operations into parts of ${count}`)
  return parts
}

type PartResult<Input, Output> =
  | { readonly end: 'ok'; readonly order: readonly Operation<Input, Output>[] }
  | { readonly end: 'illegal'; readonly window: Window<Input, Output> }
  | { readonly end: 'spent' }

const checkPart = <State, Input, Output>(
  model: Model<State, Input, Output>,
  { name, operations }: Partition<Input, Output>,
  budget: Budget,
): PartResult<Input, Output> => {
  const timeline = new Timeline(operations.map((operation, id) => ({ id, operation, free: false })))
  let order: readonly number[] = []
  const findings = explore({
    model,
    timeline,
    starts: [{ state: model.initial(), placed: [] }],
    until: timeline.closed,
    budget,
    reached: ({ placed }) => {
      order = placed
      return true
    },
  })
  switch (findings.end) {
    case 'stopped':
      return { end: 'ok', order: order.map((call) => timeline.calls[call]?.operation as Operation<Input, Output>) }
    case 'exhausted':
      return { end: 'illegal', window: explain({ model, name, timeline, stuckAt: findings.stuckAt, budget }) }
    case 'spent':
      return { end: 'spent' }
  }
}

/**
 * Is there an order in which the calls could have happened one at a time, each at some point between its invocation and its return, such that the
 * model gives every output (Herlihy and Wing 1990)? The search is that of Wing and Gong (1993) with Lowe's memory (2017), part by part (Horn and Kroening 2015),
 * as in porcupine. Linearizability is NP-complete (Gibbons and Korach 1997), hence the bounds.
 *
 * Deterministic but for `timeoutMillis`. An illegal part is told even if another could not be finished.
 *
 * @throws RangeError if a time is no number, a call returned before it was invoked, an option is out of its range, or the model loses operations.
 */
export const check = <State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  options: CheckOptions = {},
): Verdict<Input, Output> => {
  checkOperations(operations)
  const budget = budgetOf(options)
  const parts = partsOf(model, operations)
  const orders = new Map<Partition<Input, Output>, readonly Operation<Input, Output>[]>()
  // First a little for everyone, so that one hard part does not hide an easy error in another; then what is left for the hard ones.
  const rounds = parts.length > 1 ? [(part: Partition<Input, Output>) => 256 + 16 * part.operations.length] : []
  for (const limitOf of [...rounds, () => Number.POSITIVE_INFINITY]) {
    for (const part of parts) {
      if (orders.has(part)) continue
      const share = budget.share(limitOf(part))
      const result = checkPart(model, part, share)
      budget.charge(share)
      if (result.end === 'illegal') return { verdict: 'illegal', steps: budget.steps, window: result.window }
      if (result.end === 'ok') orders.set(part, result.order)
    }
  }
  const unfinished = parts.filter((part) => !orders.has(part)).map(({ name }) => name)
  if (unfinished.length > 0)
    return { verdict: 'unknown', steps: budget.steps, reason: budget.spentOn, partitions: unfinished }
  return {
    verdict: 'ok',
    steps: budget.steps,
    orders: parts.map((part) => ({ name: part.name, operations: orders.get(part) ?? [] })),
  }
}
