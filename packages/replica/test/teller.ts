import {
  type Epoch,
  type Refusal,
  type Service,
  type ServiceEffects,
  type ServiceInput,
  unreachable,
} from '@conclave/interface'
import { ListMachine } from './world.ts'

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/**
 * A service of a list. It answers `who` at once, `await N` when the list has N items, `confirm` after a round, and `propose X`; it throws at `fail`. Commands that begin
 * with `wait` are let in by `let in`, or by `let in X`, which proposes X as well, those that begin with `no` never. While it does not reign it refuses everything but `who`.
 */
export class Teller implements Service {
  /** Every input but ticks and what was applied, as text. */
  readonly seen: string[] = []
  ticks = 0
  applied = 0
  readonly #machine: ListMachine
  #epoch: Epoch | undefined
  #held: { readonly call: number; readonly count: number }[] = []
  #confirming: number[] = []
  #waiting: number[] = []
  #answers: ServiceEffects['answers'][number][] = []
  #admitted: ServiceEffects['admitted'][number][] = []
  #propose: Uint8Array[] = []
  #confirm: number | undefined
  #rounds = 0

  constructor(machine: ListMachine) {
    this.#machine = machine
  }

  step(input: ServiceInput): void {
    switch (input.type) {
      case 'reigns':
        this.#epoch = input.epoch
        this.seen.push(`reigns ${input.epoch} over ${this.#machine.items.length}`)
        return
      case 'deposed':
        this.#epoch = undefined
        this.#held = []
        this.#confirming = []
        this.#waiting = []
        this.seen.push('deposed')
        return
      case 'tick':
        this.ticks++
        return
      case 'applied':
        this.applied++
        return this.#look()
      case 'ask':
        this.seen.push(`${input.principal} asks ${textOf(input.request)}`)
        return this.#ask(input.call, textOf(input.request), input.principal)
      case 'withdrawn':
        this.#held = this.#held.filter(({ call }) => call !== input.call)
        this.seen.push('withdrawn')
        return
      case 'admit':
        this.seen.push(`${input.principal} submits ${textOf(input.command)}`)
        return this.#admit(input.admission, textOf(input.command))
      case 'settled':
        this.seen.push(`settled ${input.outcome}`)
        return
      case 'confirmed':
        for (const call of this.#confirming) this.#answer(call, input.reigns ? 'reigns' : 'does not reign')
        this.#confirming = []
        return
      default:
        return unreachable(input)
    }
  }

  #ask(call: number, request: string, principal: string): void {
    const [word, ...rest] = request.split(' ')
    if (word === 'fail') throw new Error('the service fails')
    if (word === 'who') return this.#answer(call, principal)
    if (this.#epoch === undefined) return this.#refuse(call, 'not-leader')
    if (word === 'await') {
      this.#held.push({ call, count: Number(rest[0]) })
      return this.#look()
    }
    if (word === 'confirm') {
      this.#confirming.push(call)
      this.#confirm = ++this.#rounds
      return
    }
    if (word === 'propose') this.#propose.push(bytesOf(rest.join(' ')))
    if (word === 'let') {
      for (const admission of this.#waiting.splice(0)) this.#admitted.push({ admission })
      if (rest.length > 1) this.#propose.push(bytesOf(rest.slice(1).join(' ')))
    }
    this.#answer(call, 'done')
  }

  #admit(admission: number, command: string): void {
    if (command.startsWith('wait')) this.#waiting.push(admission)
    else if (command.startsWith('no')) this.#admitted.push({ admission, refused: 'invalid' })
    else this.#admitted.push({ admission })
  }

  #look(): void {
    const { length } = this.#machine.items
    for (const { call, count } of this.#held) if (count <= length) this.#answer(call, String(length))
    this.#held = this.#held.filter(({ count }) => count > length)
  }

  #answer(call: number, reply: string): void {
    this.#answers.push({ call, reply: bytesOf(reply) })
  }
  #refuse(call: number, refused: Refusal): void {
    this.#answers.push({ call, refused })
  }

  drain(): ServiceEffects {
    const effects: ServiceEffects = {
      answers: this.#answers,
      admitted: this.#admitted,
      propose: this.#propose,
      ...(this.#confirm === undefined ? {} : { confirm: this.#confirm }),
    }
    this.#answers = []
    this.#admitted = []
    this.#propose = []
    this.#confirm = undefined
    return effects
  }
}

/** A list with a `Teller`. */
export class ToldList extends ListMachine {
  readonly teller = new Teller(this)
  service(): Service {
    return this.teller
  }
}
