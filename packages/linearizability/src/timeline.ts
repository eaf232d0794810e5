import type { Operation, Time, UnknownOutput } from './model.ts'
import { unknownOutput } from './model.ts'

const compare = (a: Time, b: Time): number => (a < b ? -1 : a > b ? 1 : 0)

/** A call, and what of its times and its outcome the search may use. */
export interface Call<Input, Output> {
  /** Its index in the history, also when the timeline is a part of that. */
  readonly id: number
  readonly operation: Operation<Input, Output>
  /**
   * Nothing is assumed of when or whether it happened: it is taken as open, from the beginning. A history that is illegal even so
   * is illegal whatever this call did.
   */
  readonly free: boolean
}

/** @throws RangeError naming the first operation whose times cannot be. */
export const checkOperations = (operations: readonly Operation<unknown, unknown>[]): void => {
  operations.forEach(({ invoked, returned }, index) => {
    for (const time of returned === undefined ? [invoked] : [invoked, returned]) {
      if (typeof time !== 'bigint' && (typeof time !== 'number' || Number.isNaN(time)))
        throw new RangeError(`operation ${index} has the time ${String(time)}: times are numbers or bigints`)
    }
    if (returned !== undefined && returned < invoked)
      throw new RangeError(`operation ${index} returned at ${returned}, before it was invoked at ${invoked}`)
  })
}

/** Times as small integers in the same order. */
const rankTimes = (calls: readonly Call<unknown, unknown>[]): ((time: Time) => number) => {
  const times = calls.flatMap(({ operation: { invoked, returned } }) =>
    returned === undefined ? [invoked] : [invoked, returned],
  )
  times.sort(compare)
  // Number(5n) equals 5, so that a history may mix them; a Map would tell 5 from 5n.
  const distinct = times.filter((time, index) => index === 0 || compare(times[index - 1] as Time, time) !== 0)
  return (time) => {
    let low = 0
    let high = distinct.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compare(distinct[middle] as Time, time) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

/**
 * A history as the search wants it. Calls are numbered: first those that returned, by when they returned, so that "the first that has to be placed
 * next" is the lowest number that is left; then the open ones, by when they were invoked.
 */
export class Timeline<Input, Output> {
  /** By number. */
  readonly calls: readonly Call<Input, Output>[]
  /** How many have returned: numbers from here on are open. */
  readonly closed: number
  /** Ranks of the times. */
  readonly invoked: Int32Array
  readonly returned: Int32Array
  /** Numbers of those that returned, by when they were invoked. */
  readonly byInvocation: Int32Array

  constructor(calls: readonly Call<Input, Output>[]) {
    const rank = rankTimes(calls)
    const ranked = calls.map((call) => {
      const { invoked, returned } = call.operation
      const open = call.free || returned === undefined
      return { call, invoked: call.free ? -1 : rank(invoked), returned: open ? 0x7fffffff : rank(returned) }
    })
    // Sorting is stable: equal times leave the order in which the calls were given.
    ranked.sort((a, b) => a.returned - b.returned || a.invoked - b.invoked)
    this.calls = ranked.map(({ call }) => call)
    this.invoked = Int32Array.from(ranked, ({ invoked }) => invoked)
    this.returned = Int32Array.from(ranked, ({ returned }) => returned)
    const firstOpen = this.returned.indexOf(0x7fffffff)
    this.closed = firstOpen < 0 ? calls.length : firstOpen
    const numbers = Array.from({ length: this.closed }, (_, number) => number)
    numbers.sort((a, b) => (this.invoked[a] as number) - (this.invoked[b] as number) || a - b)
    this.byInvocation = Int32Array.from(numbers)
  }

  /** What the call returned, as far as it may be used. */
  output(number: number): Output | UnknownOutput {
    return number < this.closed ? (this.calls[number]?.operation.output as Output) : unknownOutput
  }
}
