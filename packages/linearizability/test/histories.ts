import fc from 'fast-check'
import type { Operation } from '../src/index.ts'
import type { System } from './systems.ts'

/** A call as it is made, before anybody knows what it returns. */
interface Plan<Input, Output> {
  readonly client: number
  readonly input: Input
  readonly pause: number
  readonly before: number
  readonly after: number
  /** `lost`: nobody hears of it, but it has its effect; `unsent`: it has none; `wrong`: what it returns is made up. */
  readonly fate: 'answered' | 'lost' | 'unsent' | 'wrong'
  readonly wrong: Output
}

interface Made<Input, Output> {
  readonly operations: readonly Operation<Input, Output>[]
  /** No output was made up, so that it is linearizable. */
  readonly right: boolean
}

const make = <Input, Output>(
  plans: readonly Plan<Input, Output>[],
  run: (input: Input) => Output,
): Made<Input, Output> => {
  const clocks = new Map<number, number>()
  const timed = plans.map((plan) => {
    const invoked = (clocks.get(plan.client) ?? 0) + plan.pause
    const returned = invoked + plan.before + plan.after
    clocks.set(plan.client, returned)
    return { ...plan, invoked, returned, effect: invoked + plan.before }
  })
  timed.sort((a, b) => a.effect - b.effect)
  const operations = timed.map(({ client, input, invoked, returned, fate, wrong }) => {
    if (fate === 'unsent') return { client, input, invoked }
    const output = run(input)
    if (fate === 'lost') return { client, input, invoked }
    return { client, input, invoked, returned, output: fate === 'wrong' ? wrong : output }
  })
  return { operations, right: plans.every(({ fate }) => fate !== 'wrong') }
}

/** Histories of a system that is right, and of ones that now and then lie. */
export const histories = <State, Input, Output>(
  { inputs, outputs, start }: System<State, Input, Output>,
  calls: number,
): fc.Arbitrary<Made<Input, Output>> => {
  const plan = inputs.chain((input) =>
    fc.record({
      client: fc.integer({ min: 1, max: 4 }),
      input: fc.constant(input),
      pause: fc.integer({ min: 0, max: 3 }),
      before: fc.integer({ min: 0, max: 4 }),
      after: fc.integer({ min: 0, max: 4 }),
      fate: fc.oneof(
        { weight: 8, arbitrary: fc.constant('answered' as const) },
        { weight: 1, arbitrary: fc.constantFrom('lost' as const, 'unsent' as const, 'wrong' as const) },
      ),
      wrong: outputs(input),
    }),
  )
  return fc.array(plan, { minLength: 1, maxLength: calls, size: 'max' }).map((plans) => make(plans, start()))
}
