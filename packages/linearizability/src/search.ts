import type { Budget } from './budget.ts'
import type { Model } from './model.ts'
import { Memory, Placed } from './placed.ts'
import type { Timeline } from './timeline.ts'

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
  /** Gets every way to reach the goal that no other makes superfluous. @returns whether to stop. */
  readonly reached: (config: Config<State>) => boolean
}

export type Findings<State> =
  | { readonly end: 'stopped' }
  | {
      readonly end: 'exhausted'
      /** The call that no order got past, if not one order reached the goal. */
      readonly stuckAt: number
      /** States in which that call was tried in vain: different ones, and not more than `maxStuckStates`. */
      readonly stuckIn: readonly State[]
    }
  | { readonly end: 'spent' }

const maxStuckStates = 8

/** One step of the order that is being tried. */
interface Frame<State> {
  readonly call: number
  /** Before the call. */
  readonly state: State
  readonly key: string
  /** The call may as well go first: if that leads nowhere, nothing else will. */
  readonly committed: boolean
}

/**
 * Tries orders of calls, depth first, without recursion (Wing and Gong 1993; Lowe 2017, section 3). The next call of an order is one that was invoked before
 * any other that is not placed returned. Four rules spare most of the work, and lose no order that matters:
 *
 * - a pair of placed calls and state is visited once (`Memory`);
 * - a read that returned and that leaves the state as it is goes first, without alternatives: later it would do no more, and no other call waits for it
 *   (a deletion that finds nothing may have to wait for something to delete);
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

  #runFrom(start: State): Findings<State>['end'] {
    const { model, timeline, until, budget, reached } = this.#quest
    let state = start
    let key = model.key(state)
    if (!this.#memory.visit(this.#placed, key)) return 'exhausted'
    if (this.#placed.low >= until) return reached({ state, placed: this.#base }) ? 'stopped' : 'exhausted'
    let cursor = this.#first()
    for (;;) {
      const call = this.#candidate(cursor)
      if (call < 0) {
        this.#noteStuck(state, key)
        const frame = this.#stack.pop()
        if (frame === undefined) return 'exhausted'
        this.#unplace(frame.call)
        state = frame.state
        key = frame.key
        cursor = frame.committed ? timeline.calls.length : this.#after(frame.call)
        continue
      }
      if (!budget.spend(1)) return 'spent'
      cursor = this.#after(call)
      const next = this.#step(state, call)
      if (next === undefined) continue
      const nextKey = model.key(next)
      const open = call >= timeline.closed
      if (open && (nextKey === key || this.#superfluous(call, nextKey))) continue
      const committed = !open && nextKey === key && this.#readOnly(call)
      if (committed) cursor = timeline.calls.length
      this.#place(call)
      if (!this.#memory.visit(this.#placed, nextKey)) {
        this.#unplace(call)
      } else if (this.#placed.low >= until) {
        if (reached({ state: next, placed: this.#order(call) })) return 'stopped'
        this.#unplace(call)
      } else {
        this.#stack.push({ call, state, key, committed })
        state = next
        key = nextKey
        cursor = this.#first()
      }
    }
  }

  #step(state: State, call: number): State | undefined {
    const { model, timeline } = this.#quest
    const { operation } = timeline.calls[call] as (typeof timeline.calls)[number]
    return model.step(state, operation.input, timeline.output(call))
  }

  #readOnly(call: number): boolean {
    const { model, timeline } = this.#quest
    const { operation } = timeline.calls[call] as (typeof timeline.calls)[number]
    return model.readOnly?.(operation.input) === true
  }

  /** The open call before this one in a row was not needed to get to this state. */
  #superfluous(call: number, nextKey: string): boolean {
    const before = this.#stack.at(-1)
    if (before === undefined || before.call < this.#quest.timeline.closed) return false
    const without = this.#step(before.state, call)
    return without !== undefined && this.#quest.model.key(without) === nextKey
  }

  #order(last: number): readonly number[] {
    return [...this.#base, ...this.#stack.map(({ call }) => call), last]
  }

  #noteStuck(state: State, key: string): void {
    const { low } = this.#placed
    if (low > this.#deepest) {
      this.#deepest = low
      this.#stuck.clear()
    }
    if (low === this.#deepest && this.#stuck.size < maxStuckStates) this.#stuck.set(key, state)
  }

  #first(): number {
    return this.#next[this.#quest.timeline.closed] as number
  }

  #after(call: number): number {
    return call < this.#quest.timeline.closed ? (this.#next[call] as number) : call + 1
  }

  /** The first call from `cursor` on that may be placed next; -1: there is none. */
  #candidate(cursor: number): number {
    const { closed, calls, invoked, returned } = this.#quest.timeline
    const barrier = returned[this.#placed.low] as number
    if (cursor < closed && (invoked[cursor] as number) <= barrier) return cursor
    for (let call = Math.max(cursor, closed); call < calls.length; call++) {
      if ((invoked[call] as number) > barrier) return -1
      if (!this.#placed.has(call)) return call
    }
    return -1
  }

  #place(call: number): void {
    this.#placed.add(call)
    if (call >= this.#quest.timeline.closed) return
    const next = this.#next[call] as number
    const previous = this.#previous[call] as number
    this.#next[previous] = next
    this.#previous[next] = previous
  }

  /** Undoes the last `#place`: the links of what was taken out are still as they were (Knuth's dancing links). */
  #unplace(call: number): void {
    this.#placed.remove(call)
    if (call >= this.#quest.timeline.closed) return
    this.#next[this.#previous[call] as number] = call
    this.#previous[this.#next[call] as number] = call
  }
}

export const explore = <State, Input, Output>(quest: Quest<State, Input, Output>): Findings<State> =>
  new Search(quest).run()
