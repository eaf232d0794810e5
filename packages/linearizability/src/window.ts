import type { Budget } from './budget.ts'
import type { Model, Operation } from './model.ts'
import { type Config, explore } from './search.ts'
import { oneOf } from './sentences.ts'
import { type Call, Timeline } from './timeline.ts'

export interface WindowCall<Input, Output> {
  readonly operation: Operation<Input, Output>
  /** By the model: `read → 3`. */
  readonly text: string
  /** No order gets past the return of this one. */
  readonly stuck: boolean
}

/** The part of an illegal history that shows why. */
export interface Window<Input, Output> {
  readonly model: string
  /** The name of the part; empty if the model has no parts. */
  readonly partition: string
  /** In order of invocation. Illegal even if all calls that were left out happened at any time, with any outcome, or never. */
  readonly calls: readonly WindowCall<Input, Output>[]
  /** The states that calls before the window may have left, in the model's words. Empty: too many, or too hard to find. */
  readonly before: readonly string[]
  /** How many calls of the part are wholly before the window: each order of them leads to one of `before`. */
  readonly earlier: number
  /** How many calls within the window make no difference. */
  readonly leftOut: number
  /** How many calls of the part were invoked after the one that is stuck had returned. */
  readonly later: number
  /** A sentence. */
  readonly why: string
}

/** Calls before the stuck one with which a window is tried, and what is good enough not to try the next. */
const reaches = [32, 12, 4, 0] as const
const fewCalls = 8
/** States in which a window may begin. */
const maxStarts = 32
/** Steps that one attempt to leave calls out may take, and all of them. */
const attemptSteps = 10_000
const allAttemptSteps = 1_000_000

interface Case<State, Input, Output> {
  readonly model: Model<State, Input, Output>
  /** All calls invoked before the stuck one returned, from a point on. */
  readonly calls: readonly Call<Input, Output>[]
  /** Where the point is: how the calls before it may have gone. Of `placed`, ids. */
  readonly starts: readonly Config<State>[]
  /** Id of the stuck call. */
  readonly stuck: number
  readonly earlier: number
}

/** Is it impossible to get past the stuck call, if nothing is known of the calls in `free`? */
const stillIllegal = <State, Input, Output>(
  { model, calls, starts, stuck }: Case<State, Input, Output>,
  free: ReadonlySet<number>,
  budget: Budget,
): boolean => {
  const share = budget.share(attemptSteps)
  const findings = goPast(
    { model, timeline: new Timeline(calls.map((call) => ({ ...call, free: free.has(call.id) }))), starts, stuck },
    share,
  )
  budget.charge(share)
  return findings.end === 'exhausted'
}

const goPast = <State, Input, Output>(
  {
    model,
    timeline,
    starts,
    stuck,
  }: {
    model: Model<State, Input, Output>
    timeline: Timeline<Input, Output>
    starts: readonly Config<State>[]
    stuck: number
  },
  budget: Budget,
): ReturnType<typeof explore<State, Input, Output>> => {
  const numbers = new Map(timeline.calls.map(({ id }, number) => [id, number]))
  return explore({
    model,
    patient: true,
    timeline,
    starts: starts.map(({ state, placed }) => ({ state, placed: placed.map((id) => numbers.get(id) as number) })),
    until: (numbers.get(stuck) as number) + 1,
    budget,
    reached: () => true,
  })
}

/** Ways to place the first `until` calls to return; undefined: too many, or it takes too long to find them. */
const waysTo = <State, Input, Output>(
  model: Model<State, Input, Output>,
  timeline: Timeline<Input, Output>,
  until: number,
  budget: Budget,
  patient: boolean,
): readonly Config<State>[] | undefined => {
  const ways: Config<State>[] = []
  const starts = [{ state: model.initial(), placed: [] }]
  const reached = (config: Config<State>): boolean => ways.push(config) > maxStarts
  const findings = explore({ model, timeline, starts, until, budget, reached, patient })
  return findings.end === 'exhausted' && ways.length > 0 ? ways : undefined
}

/** The case that begins when the first `from` calls to return have been placed, in one of these ways. */
const caseFrom = <State, Input, Output>(
  model: Model<State, Input, Output>,
  timeline: Timeline<Input, Output>,
  stuckAt: number,
  from: number,
  ways: readonly Config<State>[],
): Case<State, Input, Output> => {
  const end = timeline.returned[stuckAt] as number
  const ids = (numbers: readonly number[]): readonly number[] =>
    numbers.filter((number) => number >= from).map((number) => timeline.calls[number]?.id as number)
  return {
    model,
    calls: timeline.calls.filter((_, number) => number >= from && (timeline.invoked[number] as number) <= end),
    starts: ways.map(({ state, placed }) => ({ state, placed: ids(placed) })),
    stuck: timeline.calls[stuckAt]?.id as number,
    earlier: from,
  }
}

/** Frees as many calls as it can, the earliest first, in halves, quarters and so on down to single ones. */
const freed = <State, Input, Output>(it: Case<State, Input, Output>, budget: Budget): ReadonlySet<number> => {
  const ids = it.calls.map(({ id }) => id).filter((id) => id !== it.stuck)
  let free = new Set<number>()
  for (let size = Math.max(1, Math.ceil(ids.length / 2)); ; size = Math.ceil(size / 2)) {
    for (let at = 0; at < ids.length; at += size) {
      const chunk = ids.slice(at, at + size)
      if (chunk.every((id) => free.has(id))) continue
      const more = new Set([...free, ...chunk])
      if (stillIllegal(it, more, budget)) free = more
    }
    if (size === 1) return free
  }
}

const unique = (texts: readonly string[]): readonly string[] => [...new Set(texts)]

const sentence = <Input, Output>(calls: readonly WindowCall<Input, Output>[], possible: readonly string[]): string => {
  const stuck = calls.find((call) => call.stuck) as WindowCall<Input, Output>
  const name = (call: WindowCall<Input, Output>): string => `${call.text} (client ${call.operation.client})`
  const before = calls.filter(
    ({ operation: { returned } }) => returned !== undefined && returned < stuck.operation.invoked,
  )
  let last = before[0]
  for (const call of before) {
    if ((call.operation.returned ?? 0) > (last?.operation.returned ?? 0)) last = call
  }
  const had = last === undefined ? '' : `${name(last)} had returned before it was invoked, and `
  const state = possible.length === 0 ? 'no order is left' : `the state can only be ${oneOf(possible)} there`
  return `${name(stuck)} fits into no order: ${had}${state}.`
}

/**
 * The first call that no order gets past. The search may have given up earlier orders for what came later in them, and named a later call: without
 * that rule it finds the first.
 */
const firstStuck = <State, Input, Output>(
  it: Case<State, Input, Output>,
  timeline: Timeline<Input, Output>,
  budget: Budget,
): number | undefined => {
  const numbers = new Map(timeline.calls.map(({ id }, number) => [id, number]))
  const part = new Timeline(it.calls)
  const findings = goPast({ ...it, timeline: part }, budget)
  return findings.end === 'exhausted' ? numbers.get(part.calls[findings.stuckAt]?.id as number) : undefined
}

/** Says why no order gets past the call with the number `stuckAt`. The same history gives the same window, if time does not run out. */
export const explain = <State, Input, Output>(explained: {
  readonly model: Model<State, Input, Output>
  readonly name: string
  readonly timeline: Timeline<Input, Output>
  readonly stuckAt: number
  /** The one of the search that found it: finding it once more from another side takes as long. */
  readonly budget: Budget
}): Window<Input, Output> => {
  const { model, name, timeline, budget } = explained
  const effort = budget.again(allAttemptSteps)
  const caseAt = (stuckAt: number, reach: number): Case<State, Input, Output> | undefined => {
    const from = Math.max(0, stuckAt - reach)
    const limit = 2 * budget.steps + 1000
    // All ways, so that the window stands for itself; or else those that are not doomed already.
    const ways =
      waysTo(model, timeline, from, budget.again(limit), true) ??
      waysTo(model, timeline, from, budget.again(limit), false)
    return ways && caseFrom(model, timeline, stuckAt, from, ways)
  }
  const first = caseAt(explained.stuckAt, reaches[0])
  const stuckAt = (first && firstStuck(first, timeline, budget.again(attemptSteps))) ?? explained.stuckAt
  let best: { it: Case<State, Input, Output>; free: ReadonlySet<number> } | undefined
  for (const reach of reaches) {
    if (reach > 0 && reach !== reaches[0] && stuckAt <= reach) continue
    const it = caseAt(stuckAt, reach)
    if (it === undefined) continue
    const free = freed(it, effort)
    if (best === undefined || it.calls.length - free.size < best.it.calls.length - best.free.size) best = { it, free }
    if (best.it.calls.length - best.free.size <= fewCalls) break
  }
  // Without a beginning that is known, nothing can be left out, and nothing is said of the states.
  const last = caseFrom(model, timeline, stuckAt, Math.max(0, stuckAt - reaches[0]), [])
  const { it, free } = best ?? { it: last, free: new Set() }
  const later = timeline.calls.length - it.earlier - it.calls.length
  return describe(it, free, name, later, budget.again(allAttemptSteps))
}

const describe = <State, Input, Output>(
  it: Case<State, Input, Output>,
  free: ReadonlySet<number>,
  name: string,
  later: number,
  budget: Budget,
): Window<Input, Output> => {
  const { model } = it
  const timeline = new Timeline(it.calls)
  const findings = goPast({ model, timeline, starts: it.starts, stuck: it.stuck }, budget)
  const possible = findings.end === 'exhausted' ? findings.stuckIn.map((state) => model.describeState(state)) : []
  const numbers = timeline.calls.map((_, number) => number)
  numbers.sort((a, b) => (timeline.invoked[a] as number) - (timeline.invoked[b] as number) || a - b)
  const calls = numbers.flatMap((number) => {
    const { id, operation } = timeline.calls[number] as Call<Input, Output>
    if (free.has(id)) return []
    const text = model.describeOperation(operation.input, timeline.output(number))
    return [{ operation, text, stuck: id === it.stuck }]
  })
  return {
    model: model.name,
    partition: name,
    calls,
    before: unique(it.starts.map(({ state }) => model.describeState(state))),
    earlier: it.earlier,
    leftOut: free.size,
    later,
    why: sentence(calls, unique(possible)),
  }
}
