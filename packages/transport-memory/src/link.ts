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

/** A copy of a message on its way. */
interface Travelling {
  readonly bytes: Uint8Array
  /** As the tap named it; 0 without one. */
  readonly id: number
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
  /** Who looks on, if anybody: see `NetworkTap`. */
  readonly tap?: {
    sent(message: Uint8Array): number
    ended(id: number, arrived: boolean): void
  }
}

interface LaneState {
  /** In order; the timer of each delivers the oldest one. */
  readonly waiting: Travelling[]
  lastAt: number
}

/** One direction of an established link: messages in flight, in order per lane unless a fault says otherwise. */
export class MemoryLink {
  readonly #init: LinkInit
  readonly #lanes: Record<Lane, LaneState> = { urgent: { waiting: [], lastAt: 0 }, bulk: { waiting: [], lastAt: 0 } }
  #held: Travelling[] = []
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
    if (drop) this.#end(this.#travelling(copy), false)
    else if (reorder) this.#stray(this.#travelling(copy), this.delay() * (1 + random.next() * 9))
    else this.#ordered(this.#travelling(copy), this.#lanes[lane])
    if (duplicate) this.#stray(this.#travelling(copy.slice()), this.delay() * (1 + random.next() * 9))
  }

  #travelling(bytes: Uint8Array): Travelling {
    return { bytes, id: this.#init.tap?.sent(bytes) ?? 0 }
  }

  #end(message: Travelling, arrived: boolean): void {
    this.#init.tap?.ended(message.id, arrived)
  }

  #ordered(message: Travelling, lane: LaneState): void {
    const { clock } = this.#init
    this.#bytes += message.bytes.length
    const now = clock.now()
    lane.lastAt = Math.max(lane.lastAt, now + this.delay())
    lane.waiting.push(message)
    clock.after(lane.lastAt - now, () => {
      const first = lane.waiting.shift()
      if (first !== undefined) this.#arrive(first)
    })
  }

  #stray(message: Travelling, delay: number): void {
    this.#bytes += message.bytes.length
    this.#init.clock.after(delay, () => this.#arrive(message))
  }

  #arrive(message: Travelling): void {
    if (this.#broken) this.#end(message, false)
    else if (this.#init.cut()) this.#gone(message, false)
    else if (this.#init.held() || this.#held.length > 0) this.#held.push(message)
    else this.#take(message)
  }

  #take(message: Travelling): void {
    this.#gone(message, true)
    this.#init.receive(message.bytes)
  }

  #gone(message: Travelling, arrived: boolean): void {
    this.#bytes -= message.bytes.length
    if (this.#bytes === 0) this.#lost = false
    this.#end(message, arrived)
  }

  /** The receiver runs again: what waited at its door is taken in, in order, also if the link has been cut since. */
  release(): void {
    const held = this.#held
    this.#held = []
    for (const message of held) {
      if (this.#broken) this.#end(message, false)
      else if (this.#init.held()) this.#held.push(message)
      else this.#take(message)
    }
  }

  /** Nothing that is in flight arrives any more. */
  break(): void {
    this.#broken = true
    for (const lost of [...this.#held, ...this.#lanes.urgent.waiting, ...this.#lanes.bulk.waiting])
      this.#end(lost, false)
    this.#held = []
    this.#lanes.urgent.waiting.length = 0
    this.#lanes.bulk.waiting.length = 0
  }
}
