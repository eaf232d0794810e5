import { type Chunks, type Clock, chunksLength, type Lane, type Random } from '@conclave/interface'
import type { Faults } from './faults.ts'

/** One array of its own, so that sender and receiver share no memory, as if it had gone over a wire. */
const copied = (chunks: Chunks): Uint8Array => {
  const whole = new Uint8Array(chunksLength(chunks))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

export interface LinkInit {
  readonly clock: Clock
  readonly random: Random
  readonly queueBytes: number
  readonly faults: () => Faults
  /** True while what arrives is to be thrown away: a partition. */
  readonly cut: () => boolean
  /** True while what arrives is to wait: the receiver does not run. */
  readonly held: () => boolean
  readonly receive: (message: Uint8Array) => void
  readonly lost: () => void
}

interface LaneState {
  /** In order; the timer of each delivers the oldest one. */
  readonly waiting: Uint8Array[]
  lastAt: number
}

/** One direction of an established link: messages in flight, in order per lane unless a fault says otherwise. */
export class MemoryLink {
  readonly #init: LinkInit
  readonly #lanes: Record<Lane, LaneState> = { urgent: { waiting: [], lastAt: 0 }, bulk: { waiting: [], lastAt: 0 } }
  #held: Uint8Array[] = []
  #bytes = 0
  #lost = false
  #broken = false

  constructor(init: LinkInit) {
    this.#init = init
  }

  /** A one-way delay, drawn anew. */
  delay(): number {
    const { least, most } = this.#init.faults().delay
    return least + this.#init.random.next() * (most - least)
  }

  send(message: Chunks, lane: Lane): void {
    const bytes = chunksLength(message)
    if (this.#bytes > 0 && this.#bytes + bytes > this.#init.queueBytes) {
      if (this.#lost) return
      this.#lost = true
      // Not within `send`: a handler may send again.
      this.#init.clock.after(0, () => {
        if (!this.#broken) this.#init.lost()
      })
      return
    }
    const { random } = this.#init
    const faults = this.#init.faults()
    // Each draw happens for each message, so that changing one probability does not shift the other draws.
    const [drop, duplicate, reorder] = [
      random.next() < faults.drop,
      random.next() < faults.duplicate,
      random.next() < faults.reorder,
    ]
    const copy = copied(message)
    if (!drop && reorder) this.#stray(copy, this.delay() * (1 + random.next() * 9))
    else if (!drop) this.#ordered(copy, this.#lanes[lane])
    if (duplicate) this.#stray(copy.slice(), this.delay() * (1 + random.next() * 9))
  }

  #ordered(message: Uint8Array, lane: LaneState): void {
    const { clock } = this.#init
    this.#bytes += message.length
    const now = clock.now()
    lane.lastAt = Math.max(lane.lastAt, now + this.delay())
    lane.waiting.push(message)
    clock.after(lane.lastAt - now, () => {
      const first = lane.waiting.shift()
      if (first !== undefined) this.#arrive(first)
    })
  }

  #stray(message: Uint8Array, delay: number): void {
    this.#bytes += message.length
    this.#init.clock.after(delay, () => this.#arrive(message))
  }

  #arrive(message: Uint8Array): void {
    if (this.#broken) return
    if (this.#init.cut()) this.#gone(message)
    else if (this.#init.held() || this.#held.length > 0) this.#held.push(message)
    else {
      this.#gone(message)
      this.#init.receive(message)
    }
  }

  #gone(message: Uint8Array): void {
    this.#bytes -= message.length
    if (this.#bytes === 0) this.#lost = false
  }

  /** The receiver runs again: what waited for it arrives now, in order. */
  release(): void {
    const held = this.#held
    this.#held = []
    for (const message of held) this.#arrive(message)
  }

  /** Nothing that is in flight arrives any more. */
  break(): void {
    this.#broken = true
    this.#held = []
    this.#lanes.urgent.waiting.length = 0
    this.#lanes.bulk.waiting.length = 0
  }
}
