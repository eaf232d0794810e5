/** A point in time. Only its order counts: milliseconds, nanoseconds or the number of an event do as well. All of one history on one clock. */
export type Time = number | bigint

/**
 * One call of one client.
 *
 * Without `returned` the call is **open**: its outcome is unknown, because it timed out, its client died or the history ends. It may have had its
 * effect at any time after `invoked`, or never. A call that is known to have had no effect does not belong into a history.
 */
export interface Operation<Input, Output> {
  /** Who called: the lane in a drawing. Calls of one client may overlap. */
  readonly client: number | string
  readonly input: Input
  /** What the call returned. Of no meaning in an open call. */
  readonly output?: Output
  /** When the call began. */
  readonly invoked: Time
  /**
   * When the answer was there; not before `invoked`. One call comes before another only if it had returned strictly before the other was invoked:
   * a call that returned at 5 and one that was invoked at 5 are concurrent.
   */
  readonly returned?: Time
}

/** What `Model.step` gets as the output of an open call. */
export const unknownOutput: unique symbol = Symbol('unknown output')
export type UnknownOutput = typeof unknownOutput

/** Calls that can be checked without the others: all those of one key, say. */
export interface Partition<Input, Output> {
  /** For people: `key a`. */
  readonly name: string
  readonly operations: readonly Operation<Input, Output>[]
}

/**
 * What the system should do if it did one thing after another. All functions are pure and deterministic; states are never changed.
 */
export interface Model<State, Input, Output> {
  /** For people: `register`. */
  readonly name: string
  initial(): State
  /**
   * Does one call at once.
   *
   * @param output what the call returned, or `unknownOutput`.
   * @returns the state after it; undefined if the call cannot return that in this state. With an unknown output: the state in which the call had its
   * effect. There is at most one such state to name, since a call without an effect is one that never happened, and the checker tries that anyway.
   * What an open call leaves undetermined (the revision that it was given) is for the state to leave open, until a later call tells it.
   */
  step(state: State, input: Input, output: Output | UnknownOutput): State | undefined
  /** Equal for equal states, different for different ones. Short: it is built at every step. */
  key(state: State): string
  /**
   * A call that never has an effect: at most it tells something that the state left open. Such a call is placed as soon as it can be, which spares
   * most of the search. Default: none is.
   */
  readOnly?(input: Input): boolean
  /**
   * Whether a call that returned this can happen neither in this state nor in any that may follow: it tells of a revision that has been
   * overtaken. Spares the search a wrong way of which it would hear much later. Default: false.
   */
  tooLate?(state: State, input: Input, output: Output): boolean
  /**
   * Splits a history into ones that are linearizable if and only if the whole is (Herlihy and Wing 1990, section 3.1: linearizability is local;
   * P-compositionality in Horn and Kroening 2015, section 3). Every operation goes into exactly one part. Default: one part.
   */
  partition?(operations: readonly Operation<Input, Output>[]): readonly Partition<Input, Output>[]
  /** For people, in a few words: `read → 3`. */
  describeOperation(input: Input, output: Output | UnknownOutput): string
  /** For people, in a few words. */
  describeState(state: State): string
}

/** Splits a history by a name of each call, in the order in which the names appear. */
export const partitionBy = <Input, Output>(
  operations: readonly Operation<Input, Output>[],
  nameOf: (input: Input) => string,
): readonly Partition<Input, Output>[] => {
  const parts = new Map<string, Operation<Input, Output>[]>()
  for (const operation of operations) {
    const name = nameOf(operation.input)
    const part = parts.get(name)
    if (part === undefined) parts.set(name, [operation])
    else part.push(operation)
  }
  return [...parts].map(([name, part]) => ({ name, operations: part }))
}
