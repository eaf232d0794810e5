import { type Model, type Operation, unknownOutput } from '../src/index.ts'

/** Every order that respects real time, one after another, with no memory and no rule that spares any. */
const anyOrder = <State, Input, Output>(
  model: Model<State, Input, Output>,
  left: readonly Operation<Input, Output>[],
  state: State,
  must: (operation: Operation<Input, Output>) => boolean,
): boolean => {
  if (!left.some(must)) return true
  return left.some((next) => {
    if (left.some(({ returned }) => returned !== undefined && returned < next.invoked)) return false
    const after = model.step(state, next.input, next.returned === undefined ? unknownOutput : (next.output as Output))
    if (after === undefined) return false
    return anyOrder(
      model,
      left.filter((one) => one !== next),
      after,
      must,
    )
  })
}

const hasReturned = ({ returned }: Operation<unknown, unknown>): boolean => returned !== undefined

/** @param must which calls an order has to hold: by default, all that returned. */
export const bruteForce = <State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  must: (operation: Operation<Input, Output>) => boolean = hasReturned,
): boolean => {
  const parts = model.partition?.(operations) ?? [{ name: '', operations }]
  return parts.every((part) => anyOrder(model, part.operations, model.initial(), must))
}

/** Is this an order of the calls, as they would have gone one after another? */
export const isWitness = <State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  order: readonly Operation<Input, Output>[],
): boolean => {
  let state: State | undefined = model.initial()
  for (const { input, output, returned } of order) {
    if (state === undefined) return false
    state = model.step(state, input, returned === undefined ? unknownOutput : (output as Output))
  }
  const inTime = order.every((earlier, at) =>
    order.slice(at + 1).every(({ returned }) => returned === undefined || !(returned < earlier.invoked)),
  )
  const whole = operations.every((operation) => operation.returned === undefined || order.includes(operation))
  return state !== undefined && inTime && whole && new Set(order).size === order.length
}
