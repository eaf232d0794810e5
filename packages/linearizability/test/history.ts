import type { Operation, Time } from '../src/index.ts'

/** A call that returned. */
export const call = <Input, Output>(
  client: number | string,
  input: Input,
  output: Output,
  invoked: Time,
  returned: Time,
): Operation<Input, Output> => ({ client, input, output, invoked, returned })

/** A call of unknown outcome. */
export const open = <Input>(client: number | string, input: Input, invoked: Time): Operation<Input, never> => ({
  client,
  input,
  invoked,
})
