/** What every event of a trace is in the words of a timeline, and in whose column. */
import { type Focus, faultWords, heaviest, routineOf, weightOf } from '../focus.ts'
import type { TraceEvent } from '../trace.ts'
import { counted, isRoutine, plain } from '../words.ts'

/** The column of clients, and lines that go over all columns. */
export const clientsColumn = Symbol('clients')
export const wideLine = Symbol('wide')
export type Column = string | typeof clientsColumn | typeof wideLine

export type Style = 'plain' | 'strong' | 'dim' | 'fault' | 'violation'

export interface Entry {
  readonly at: number
  readonly column: Column
  readonly text: string
  readonly style: Style
  readonly weight: number
  readonly kind: TraceEvent['type'] | 'idle'
}

/** Slots in a row that a node appends or decides in one instant are told together. */
interface Run {
  readonly at: number
  readonly node: string
  readonly kind: 'appended' | 'decided'
  readonly first: number
  last: number
  /** What they are, each told once. */
  readonly whats: Set<string>
  weight: number
}

const lifeVerbs = {
  started: 'starts',
  crashed: 'crashes',
  stopped: 'stops',
  paused: 'is paused',
  resumed: 'goes on',
  joined: 'joins',
  removed: 'is removed',
} as const

type Life = TraceEvent & { readonly type: keyof typeof lifeVerbs }

const lifeText = (event: Life): string =>
  event.why === undefined ? lifeVerbs[event.type] : `${lifeVerbs[event.type]}: ${plain(event.why)}`

const faultText = (event: TraceEvent & { readonly type: 'fault' }): string =>
  `fault ${event.id}: ${plain(faultWords(event))}`

type Told = Omit<Entry, 'at' | 'weight' | 'kind'>

/** Undefined: told elsewhere, or not at all. */
const told = (event: TraceEvent): Told | undefined => {
  switch (event.type) {
    case 'started':
    case 'crashed':
    case 'stopped':
    case 'paused':
    case 'resumed':
    case 'joined':
    case 'removed':
      return { column: event.node, text: lifeText(event), style: 'strong' }
    case 'role':
      return { column: event.node, text: `${plain(event.role)}, epoch ${event.epoch}`, style: 'strong' }
    case 'truncated':
      return { column: event.node, text: `truncates from ${event.slot}`, style: 'strong' }
    case 'durable':
      return { column: event.node, text: `write ${event.write} durable`, style: 'dim' }
    case 'restored':
      return { column: event.node, text: `restores up to ${event.position}`, style: 'strong' }
    case 'received':
      return { column: event.to, text: `from ${event.from}: ${plain(event.what)}`, style: 'plain' }
    case 'lost':
      return { column: event.from, text: `lost, to ${event.to}: ${plain(event.what)}`, style: 'dim' }
    case 'fault':
      return { column: wideLine, text: faultText(event), style: 'fault' }
    case 'healed':
      return { column: wideLine, text: 'everything heals but what the plan keeps broken', style: 'fault' }
    case 'invoked':
      return { column: clientsColumn, text: `c${event.client}: ${plain(event.what)}`, style: 'plain' }
    case 'returned':
      return { column: clientsColumn, text: `c${event.client} got: ${plain(event.what)}`, style: 'plain' }
    case 'marked':
      return { column: event.node ?? wideLine, text: `* ${plain(event.mark)}`, style: 'dim' }
    case 'sent':
    case 'appended':
    case 'decided':
    case 'violation':
      return undefined
  }
}

const isReply = (what: string): boolean => /\b(?:answered|reply|replies|ack|response|pong|ok)\b/i.test(what)

/** Fewer are not worth a line. */
const leastIdle = 4

type Beat = Pick<TraceEvent & { readonly type: 'received' }, 'at' | 'from' | 'to' | 'what'>

/** What a node sent meanwhile that says nothing new. */
interface Idle {
  at: number
  count: number
  readonly to: Set<string>
  /** All were heartbeats. */
  beats: boolean
}

class Collector {
  readonly entries: Entry[] = []
  readonly #focus: Focus
  readonly #routine: ReadonlySet<TraceEvent>
  #run: Run | undefined
  #idle = new Map<string, Idle>()

  constructor(focus: Focus, routine: ReadonlySet<TraceEvent>) {
    this.#focus = focus
    this.#routine = routine
  }

  take(event: TraceEvent): void {
    if (event.type === 'sent' || (event.type === 'marked' && event.mark.startsWith('fault:'))) return
    if (this.#routine.has(event)) {
      if (event.type === 'received' && !isReply(event.what)) this.#beat(event)
      return
    }
    this.flushIdle()
    if (event.type === 'appended') this.#slot(event, event.slot)
    else if (event.type === 'decided') this.#slot(event, event.position)
    else {
      this.flushRun()
      const entry = told(event)
      if (entry !== undefined)
        this.entries.push({ at: event.at, weight: weightOf(event, this.#focus), kind: event.type, ...entry })
    }
  }

  #beat({ at, from, to, what }: Beat): void {
    const idle = this.#idle.get(from) ?? { at, count: 0, to: new Set<string>(), beats: true }
    idle.at = at
    idle.beats &&= isRoutine(what)
    idle.count += 1
    idle.to.add(to)
    this.#idle.set(from, idle)
  }

  #slot(event: TraceEvent & { readonly type: 'appended' | 'decided' }, slot: number): void {
    const { at, node, type: kind } = event
    const what = plain(event.what)
    const run = this.#run
    const weight = weightOf(event, this.#focus)
    if (run !== undefined && run.at === at && run.node === node && run.kind === kind && run.last + 1 === slot) {
      run.last = slot
      run.weight = Math.max(run.weight, weight)
      run.whats.add(what)
      return
    }
    this.flushRun()
    this.#run = { at, node, kind, first: slot, last: slot, whats: new Set([what]), weight }
  }

  flushRun(): void {
    const run = this.#run
    if (run === undefined) return
    this.#run = undefined
    const slots = run.first === run.last ? `${run.first}` : `${run.first}..${run.last}`
    const verb = run.kind === 'appended' ? 'appends' : 'decides'
    const whats = [...run.whats].filter((what) => what !== '').join(', ')
    const text = whats === '' ? `${verb} ${slots}` : `${verb} ${slots}: ${whats}`
    this.entries.push({ at: run.at, column: run.node, text, style: 'plain', weight: run.weight, kind: run.kind })
  }

  flushIdle(): void {
    for (const [from, { at, count, to, beats }] of this.#idle) {
      if (count < leastIdle) continue
      this.flushRun()
      const text = `${counted(count, beats ? 'heartbeat' : 'repetition')} to ${[...to].join(', ')}`
      this.entries.push({ at, column: from, text, style: 'dim', weight: 5, kind: 'idle' })
    }
    this.#idle.clear()
  }
}

/** Entries in the order of the events; messages are told where they arrive, or where they were sent if they were lost. */
export const entriesOf = (events: readonly TraceEvent[], focus: Focus): Entry[] => {
  const collector = new Collector(focus, routineOf(events))
  for (const event of events) collector.take(event)
  collector.flushIdle()
  collector.flushRun()
  return collector.entries
}

/** The entries that matter most, in their order, each with how many before it were left out. */
export const keep = (
  entries: readonly Entry[],
  most: number,
): { readonly entry: Entry; readonly skipped: number }[] => {
  let next = 0
  return heaviest(entries, most).flatMap((index) => {
    const entry = entries[index]
    const skipped = index - next
    next = index + 1
    return entry === undefined ? [] : [{ entry, skipped }]
  })
}
