import { type Model, unknownOutput } from '../model.ts'

export type RegisterValue = string | number | boolean | null
export type RegisterInput =
  | { readonly type: 'read' }
  | { readonly type: 'write'; readonly value: RegisterValue }
  | { readonly type: 'cas'; readonly expected: RegisterValue; readonly value: RegisterValue }

/** Of a read the value, of a compare-and-swap whether it swapped. A write returns nothing. */
export type RegisterOutput = RegisterValue | undefined

/** One value that is read, written, and compared and swapped. @param initial what a read returns before the first write. */
export const registerModel = (initial: RegisterValue = null): Model<RegisterValue, RegisterInput, RegisterOutput> => ({
  name: 'register',
  initial: () => initial,
  step(state, input, output) {
    switch (input.type) {
      case 'read':
        return output === unknownOutput || output === state ? state : undefined
      case 'write':
        return input.value
      case 'cas': {
        const swapped = input.expected === state
        if (output !== unknownOutput && output !== swapped) return undefined
        return swapped ? input.value : state
      }
    }
  },
  readOnly: ({ type }) => type === 'read',
  key: (state) => JSON.stringify(state),
  describeOperation(input, output) {
    const returned = output === unknownOutput ? '?' : JSON.stringify(output)
    switch (input.type) {
      case 'read':
        return `read → ${returned}`
      case 'write':
        return `write ${JSON.stringify(input.value)}${output === unknownOutput ? ' → ?' : ''}`
      case 'cas':
        return `cas ${JSON.stringify(input.expected)} to ${JSON.stringify(input.value)} → ${returned}`
    }
  },
  describeState: (state) => JSON.stringify(state),
})
