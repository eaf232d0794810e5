import { decodeBatch, sessionCommands, sessionsMachine, visitBlock } from '@conclave/interface'
import { hex } from './digest.ts'

/** A command that the batch of a position must have applied. */
export interface Due {
  readonly session: bigint
  readonly serial: number
  readonly command: string
}

interface Session {
  ackedBelow: number
  /** Serial → where it was applied. */
  readonly applied: Map<number, number>
}

/**
 * Which commands take effect, and where, as a few lines say it that share nothing with the session table of the replica: each serial of an open
 * session once, at the first position that holds it. Sessions neither expire nor overflow within a run.
 */
export class SessionsModel {
  readonly #sessions = new Map<bigint, Session>()
  readonly #due: (readonly Due[])[] = []
  #skipped = 0

  /** Commands that were decided again and had no effect. */
  get skipped(): number {
    return this.#skipped
  }

  /** Takes the next position. */
  decide(batch: Uint8Array | undefined): void {
    const due: Due[] = []
    this.#due.push(due)
    if (batch === undefined) return
    const position = this.#due.length
    for (const block of decodeBatch(batch).blocks) this.#block(block, position, due)
  }

  #block(block: Uint8Array, position: number, due: Due[]): void {
    const reader = new DataView(block.buffer, block.byteOffset, block.byteLength)
    const id = reader.getBigUint64(0, true)
    const ackedBelow = Number(reader.getBigUint64(8, true))
    const used = this.#sessions.get(id)
    if (used !== undefined) used.ackedBelow = Math.max(used.ackedBelow, ackedBelow)
    visitBlock(block, (serial, machine, bytes) => {
      if (machine === sessionsMachine) return this.#control(id, bytes)
      const session = this.#sessions.get(id)
      if (session === undefined || serial < session.ackedBelow) return
      if (session.applied.has(serial)) this.#skipped++
      else {
        session.applied.set(serial, position)
        due.push({ session: id, serial, command: hex(bytes) })
      }
    })
  }

  #control(id: bigint, command: Uint8Array): void {
    const opens = command[0] === sessionCommands.open || command[0] === sessionCommands.openOwn
    if (opens && !this.#sessions.has(id)) this.#sessions.set(id, { ackedBelow: 0, applied: new Map() })
    if (command[0] === sessionCommands.close) this.#sessions.delete(id)
  }

  /** What a position must apply, in order; undefined if nobody has decided it. */
  dueAt(position: number): readonly Due[] | undefined {
    return this.#due[position - 1]
  }

  /** Where a command took effect. */
  placeOf(session: bigint, serial: number): number | undefined {
    return this.#sessions.get(session)?.applied.get(serial)
  }
}
