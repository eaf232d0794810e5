import type { Budget } from './budget.ts'
import type { Model } from './model.ts'
import { Memory, Placed } from './placed.ts'
import type { Call, Timeline } from './timeline.ts'

/** A point in one order of calls. */
export interface Config<State> {
  readonly state: State
  /** In order. */
  readonly placed: readonly number[]
}

export interface Quest<State, Input, Output> {
  readonly model: Model<State, Input, Output>
  readonly timeline: Timeline<Input, Output>
  readonly starts: readonly Config<State>[]
  /** The goal is that all calls below this number are placed: the first so many to return. */
  readonly until: number
  readonly budget: Budget
  /** Follow each order to where it ends, also if `Model.tooLate` tells the end before. */
  readonly patient?: boolean
  /** Gets every way to reach the goal that no other makes superfluous. @returns whether to stop. */
  readonly reached: (config: Config<State>) => boolean
}

export type Findings<State> =
  | { readonly end: 'stopped' }
  | {
      readonly end: 'exhausted'
      /**
       * A call that no order got past, if not one order reached the goal: no order holds all up to this number. The first such, unless the model
       * tells what is too late: then the trouble may be known before it is there.
       */
      readonly stuckAt: number
      /** States in which that call was tried in vain: different ones, and not more than `maxStuckStates`. */
      readonly stuckIn: readonly State[]
    }
  | { readonly end: 'spent' }

const maxStuckStates = 8

/** A point of the order that is being tried, and what has been tried from there. */
interface Frame<State> {
  /** The call that led here; -1: none, a start. */
  readonly call: number
  readonly state: State
  readonly key: string
  /** Calls that returned and may come next. */
  readonly options: readonly number[]
  /** The options are all there is to try: open calls need not be. */
  readonly committed: boolean
  /** The call that no order from here gets past, if nothing helps. */
  readonly barrier: number
  /** Index of the next to try: in `options`, and beyond them an open call. */
  at: number
}

/**
 * Tries orders of calls, depth first, without recursion (Wing and Gong 1993; Lowe 2017, section 3). The next call of an order is one that was invoked before
 * any other that is not placed returned. Some rules spare most of the work, and lose no order that matters:
 *
 * - a pair of placed calls and state is visited once (`Memory`);
 * - a read that returned and that leaves the state as it is goes first, without alternatives: later it would do no more, and no other call waits for it
 *   (a deletion that finds nothing may have to wait for something to delete);
 * - once a call is too late for its answer (`Model.tooLate`), the order is given up;
 * - an open call that leaves the state as it is does not happen;
 * - of two open calls in a row, the first does not happen if the second makes the same state without it.
 */
class Search<State, Input, Output> {
  readonly #quest: Quest<State, Input, Output>
  readonly #placed: Placed
  readonly #memory = new Memory()
  readonly #stack: Frame<State>[] = []
  /** Calls that returned and are not placed, by invocation, as a ring; the head is number `closed`, where open calls begin. */
  readonly #next: Int32Array
  readonly #previous: Int32Array
  #base: readonly number[] = []
  #deepest = -1
  readonly #stuck = new Map<string, State>()

  constructor(quest: Quest<State, Input, Output>) {
    this.#quest = quest
    const { closed, byInvocation } = quest.timeline
    this.#placed = new Placed(closed)
    this.#next = new Int32Array(closed + 1)
    this.#previous = new Int32Array(closed + 1)
    let last = closed
    for (const call of byInvocation) {
      this.#next[last] = call
      this.#previous[call] = last
      last = call
    }
    this.#next[last] = closed
    this.#previous[closed] = last
  }

  run(): Findings<State> {
    for (const start of this.#quest.starts) {
      this.#base = start.placed
      for (const call of start.placed) this.#place(call)
      const end = this.#runFrom(start.state)
      if (end !== 'exhausted') return { end }
      for (const call of start.placed.toReversed()) this.#unplace(call)
    }
    return { end: 'exhausted', stuckAt: this.#deepest, stuckIn: [...this.#stuck.values()] }
  }

  #runFrom(state: State): Findings<State>['end'] {
    const { model, until, budget, reached } = this.#quest
    const key = model.key(state)
    if (!this.#memory.visit(this.#placed, key)) return 'exhausted'
    if (this.#placed.low >= until) return reached({ state, placed: this.#base }) ? 'stopped' : 'exhausted'
    this.#enter(-1, state, key)
    for (let frame = this.#stack.at(-1); frame !== undefined; frame = this.#stack.at(-1)) {
      const call = this.#nextOption(frame)
      if (call < 0) {
        this.#noteStuck(frame)
        this.#stack.pop()
        if (frame.call >= 0) this.#unplace(frame.call)
        continue
      }
      if (!budget.spend(1)) return 'spent'
      const next = this.#step(frame.state, call)
      if (next === undefined) continue
      const nextKey = model.key(next)
      if (this.#isOpen(call) && (nextKey === frame.key || this.#superfluous(call, nextKey))) continue
      this.#place(call)
      if (!this.#memory.visit(this.#placed, nextKey)) {
        this.#unplace(call)
      } else if (this.#placed.low >= until) {
        if (reached({ state: next, placed: this.#order(call) })) return 'stopped'
        this.#unplace(call)
      } else {
        this.#enter(call, next, nextKey)
      }
    }
    return 'exhausted'
  }

  /** Looks what may come next. */
  #enter(call: number, state: State, key: string): void {
    const { model, timeline, budget } = this.#quest
    const { closed, invoked, returned } = timeline
    const barrier = returned[this.#placed.low] as number
    const options: number[] = []
    let late = -1
    for (let next = this.#next[closed] as number; next < closed; next = this.#next[next] as number) {
      if ((invoked[next] as number) > barrier) break
      if (this.#tooLate(state, next)) {
        options.length = 0
        late = next
        break
      }
      if (this.#isRead(next)) {
        budget.spend(1)
        const after = this.#step(state, next)
        if (after === undefined) continue
        if (model.key(after) === key) {
          this.#stack.push({ call, state, key, options: [next], committed: true, barrier: this.#placed.low, at: 0 })
          return
        }
      }
      options.push(next)
    }
    // The first to return is the most urgent.
    options.sort((a, b) => a - b)
    this.#stack.push({
      call,
      state,
      key,
      options,
      committed: late >= 0,
      barrier: Math.max(late, this.#placed.low),
      at: 0,
    })
  }

  /** The next call to try; -1: there is none. */
  #nextOption(frame: Frame<State>): number {
    const { closed, calls, invoked, returned } = this.#quest.timeline
    const { options } = frame
    if (frame.at < options.length) return options[frame.at++] as number
    if (frame.committed) return -1
    const barrier = returned[this.#placed.low] as number
    for (let call = closed + frame.at - options.length; call < calls.length; call++) {
      if ((invoked[call] as number) > barrier) return -1
      frame.at += 1
      if (!this.#placed.has(call)) return call
    }
    return -1
  }

  #isOpen(call: number): boolean {
    return call >= this.#quest.timeline.closed
  }

  #isRead(call: number): boolean {
    const { model, timeline } = this.#quest
    return model.readOnly?.((timeline.calls[call] as Call<Input, Output>).operation.input) === true
  }

  #tooLate(state: State, call: number): boolean {
    const { model, timeline, patient } = this.#quest
    if (patient === true || model.tooLate === undefined) return false
    const { operation } = timeline.calls[call] as Call<Input, Output>
    return model.tooLate(state, operation.input, operation.output as Output)
  }

  #step(state: State, call: number): State | undefined {
    const { model, timeline } = this.#quest
    const { operation } = timeline.calls[call] as Call<Input, Output>
    return model.step(state, operation.input, timeline.output(call))
  }

  /** The open call before this one in a row was not needed to get to this state. */
  #superfluous(call: number, nextKey: string): boolean {
    const here = this.#stack.at(-1)
    const before = this.#stack.at(-2)
    if (here === undefined || before === undefined || !this.#isOpen(here.call)) return false
    const without = this.#step(before.state, call)
    return without !== undefined && this.#quest.model.key(without) === nextKey
  }

  #order(last: number): readonly number[] {
    return [...this.#base, ...this.#stack.slice(1).map(({ call }) => call), last]
  }

  #noteStuck({ state, key, barrier }: Frame<State>): void {
    if (barrier > this.#deepest) {
      this.#deepest = barrier
      this.#stuck.clear()
    }
    if (barrier === this.#deepest && this.#stuck.size < maxStuckStates) this.#stuck.set(key, state)
  }

  #place(call: number): void {
    this.#placed.add(call)
    if (this.#isOpen(call)) return
    const next = this.#next[call] as number
    const previous = this.#previous[call] as number
    this.#next[previous] = next
    this.#previous[next] = previous
  }

  /** Undoes the last `#place`: the links of what was taken out are still as they were (Knuth's dancing links). */
  #unplace(call: number): void {
    this.#placed.remove(call)
    if (this.#isOpen(call)) return
    this.#next[this.#previous[call] as number] = call
    this.#previous[this.#next[call] as number] = call
  }
}

export const explore = <State, Input, Output>(quest: Quest<State, Input, Output>): Findings<State> =>
  new Search(quest).run()
