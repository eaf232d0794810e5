import type { Effects, JournalOp, Send, WriteId } from '@conclave/interface'
import type { Disk } from './disk.ts'
import { check } from './invariants.ts'

interface Write {
  readonly id: WriteId
  readonly ops: readonly JournalOp[]
}

/** What an engine has written and what is not on its disk yet, under the durability rule of `Effects.send`. */
export class Writes {
  readonly #disk: Disk
  readonly #emit: (send: Send) => void
  /** True breaks the rule. */
  readonly #leaky: boolean
  #unsynced: Write[] = []
  #waiting: { readonly after: number; readonly send: Send }[] = []
  #last = 0

  constructor(disk: Disk, emit: (send: Send) => void, leaky = false) {
    this.#disk = disk
    this.#emit = emit
    this.#leaky = leaky
  }

  get unsynced(): number {
    return this.#unsynced.length
  }

  take({ write, send }: Effects): void {
    if (write !== undefined) {
      check(write.id === this.#last + 1, `write ${write.id} after ${this.#last}`)
      this.#last = write.id
      this.#unsynced.push(write)
    }
    for (const one of send) {
      if (one.early === true || this.#unsynced.length === 0 || this.#leaky) this.#emit(one)
      else this.#waiting.push({ after: this.#last, send: one })
    }
  }

  /** Makes the oldest writes durable, and lets go what waited for them. @returns the last of them, which the engine has to be told. */
  sync(count = this.#unsynced.length): WriteId | undefined {
    const writes = this.#unsynced.splice(0, count)
    const last = writes.at(-1)?.id
    if (last === undefined) return undefined
    for (const { ops } of writes) this.#disk.apply(ops)
    const ready = this.#waiting.filter(({ after }) => after <= last)
    this.#waiting = this.#waiting.filter(({ after }) => after > last)
    for (const { send } of ready) this.#emit(send)
    return last
  }
}
