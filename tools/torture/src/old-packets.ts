import type { NodeId } from '@conclave/interface'
import type { Dice } from './dice.ts'
import type { Packet } from './host.ts'

/**
 * What a network may still deliver long after it was sent, when the two that it goes between have lost each other and met again: of each link one packet of
 * each kind, or a snapshot of an exchange that is rare would never be among them.
 */
export class OldPackets {
  readonly #kept = new Map<string, Map<number, Packet>>()
  readonly #dice: Dice

  constructor(dice: Dice) {
    this.#dice = dice
  }

  #of(from: NodeId, to: NodeId): Map<number, Packet> {
    const link = `${from} ${to}`
    const kept = this.#kept.get(link) ?? new Map<number, Packet>()
    this.#kept.set(link, kept)
    return kept
  }

  /** Keeps it in the place of an older one, or not. */
  keep(packet: Packet): void {
    const kept = this.#of(packet.from, packet.to)
    const [version = 0, type = 0] = packet.bytes // so begin the messages of every engine
    const kind = version * 256 + type
    if (!kept.has(kind) || this.#dice.below(4) === 0) kept.set(kind, packet)
  }

  any(from: NodeId, to: NodeId): Packet | undefined {
    return this.#dice.any([...this.#of(from, to).values()])
  }
}
