/** The life of every node as stretches of one role, and its log as it changes: what the lines and boxes of a diagram are drawn from. */
import type { TraceEvent } from '../trace.ts'
import { reignIn } from '../words.ts'

export type Condition = 'absent' | 'dead' | 'paused' | 'leader' | 'candidate' | 'follower'

/** From an event on. */
export interface Turn {
  /** Undefined: from the beginning. */
  readonly event: TraceEvent | undefined
  readonly condition: Condition
}

const conditionOf = (role: string): Condition => {
  if (/^lead/i.test(role)) return 'leader'
  return /candidate|looking|prepar/i.test(role) ? 'candidate' : 'follower'
}

/** What a process is besides its role. */
type Body = 'absent' | 'dead' | 'paused' | 'alive'

const bodies: Readonly<Partial<Record<TraceEvent['type'], Body>>> = {
  started: 'alive',
  resumed: 'alive',
  crashed: 'dead',
  stopped: 'dead',
  paused: 'paused',
}

class Life {
  readonly turns: Turn[] = []
  #role: Condition = 'follower'
  #body: Body

  constructor(body: Body) {
    this.#body = body
  }

  begin(): void {
    this.turns.push({ event: undefined, condition: this.#condition })
  }

  get #condition(): Condition {
    return this.#body === 'alive' ? this.#role : this.#body
  }

  take(event: TraceEvent, shown: boolean): void {
    const was = this.#condition
    if (event.type === 'started') this.#role = 'follower'
    if (event.type === 'role') this.#role = conditionOf(event.role)
    this.#body = bodies[event.type] ?? this.#body
    if (shown && this.#condition !== was) this.turns.push({ event, condition: this.#condition })
  }
}

/** The turns of every node. A node of which nothing is heard before it starts is absent until then. */
export const livesOf = (
  nodes: readonly string[],
  before: readonly TraceEvent[],
  events: readonly TraceEvent[],
): ReadonlyMap<string, readonly Turn[]> => {
  const starters = new Set<string>()
  const heard = new Set<string>()
  for (const event of [...before, ...events]) {
    const node = 'node' in event ? event.node : undefined
    if (node === undefined || heard.has(node)) continue
    heard.add(node)
    if (event.type === 'started' || event.type === 'joined') starters.add(node)
  }
  const lives = new Map(nodes.map((node) => [node, new Life(starters.has(node) ? 'absent' : 'alive')]))
  for (const event of before) if ('node' in event && event.node !== undefined) lives.get(event.node)?.take(event, false)
  for (const life of lives.values()) life.begin()
  for (const event of events) if ('node' in event && event.node !== undefined) lives.get(event.node)?.take(event, true)
  return new Map(Array.from(lives, ([node, life]) => [node, life.turns]))
}

/** An entry of a log as it is drawn: its position and the term, epoch or ballot under which it was made. */
export interface Box {
  readonly slot: number
  readonly reign: string
}

/** What every event shows of a log: the box that it appends or decides, or those that it truncates. */
export const boxesOf = (events: readonly TraceEvent[]): ReadonlyMap<TraceEvent, readonly Box[]> => {
  const logs = new Map<string, Map<number, string>>()
  const epochs = new Map<string, bigint>()
  const shown = new Map<TraceEvent, readonly Box[]>()
  for (const event of events) {
    if (event.type === 'role') epochs.set(event.node, event.epoch)
    if (event.type !== 'appended' && event.type !== 'decided' && event.type !== 'truncated') continue
    const log = logs.get(event.node) ?? new Map<number, string>()
    logs.set(event.node, log)
    if (event.type === 'truncated') {
      const gone = [...log].filter(([slot]) => slot >= event.slot).sort(([a], [b]) => a - b)
      for (const [slot] of gone) log.delete(slot)
      shown.set(
        event,
        gone.map(([slot, reign]) => ({ slot, reign })),
      )
      continue
    }
    const slot = event.type === 'appended' ? event.slot : event.position
    const reign = reignIn(event.what) ?? log.get(slot) ?? epochs.get(event.node)?.toString() ?? '?'
    if (event.type === 'appended') log.set(slot, reign)
    shown.set(event, [{ slot, reign }])
  }
  return shown
}
