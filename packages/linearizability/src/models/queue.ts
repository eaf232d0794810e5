import { type Model, unknownOutput } from '../model.ts'

export type QueueValue = string | number
export type QueueInput = { readonly type: 'enqueue'; readonly value: QueueValue } | { readonly type: 'dequeue' }
/** Of a dequeue the value, null if the queue was empty. An enqueue returns nothing. */
export type QueueOutput = QueueValue | null | undefined

/** First in, first out, without a bound. Keep the queue short: a state is as long as it. */
export const queueModel: Model<readonly QueueValue[], QueueInput, QueueOutput> = {
  name: 'queue',
  initial: () => [],
  step(state, input, output) {
    if (input.type === 'enqueue') return [...state, input.value]
    const head = state[0] ?? null
    if (output !== unknownOutput && output !== head) return undefined
    return head === null ? state : state.slice(1)
  },
  key: (state) => JSON.stringify(state),
  describeOperation(input, output) {
    const unknown = output === unknownOutput
    if (input.type === 'enqueue') return `enqueue ${JSON.stringify(input.value)}${unknown ? ' → ?' : ''}`
    return `dequeue → ${unknown ? '?' : output === null ? 'empty' : JSON.stringify(output)}`
  },
  describeState: (state) => JSON.stringify(state),
}
