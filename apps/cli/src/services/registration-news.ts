import type { Health, RegistrationState } from '@conclave/client/recipes'
import { color } from '../base-command.ts'
import { printLine } from '../print-line.ts'

export interface RegistrationNewsInit {
  readonly service: string
  readonly id: string
  readonly json: boolean
  /** Standard error if a command has standard output for itself. */
  readonly stream: NodeJS.WriteStream
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Tells what becomes of a registration, a line each. */
export class RegistrationNews {
  readonly #init: RegistrationNewsInit
  #last: RegistrationState['type'] = 'registering'

  constructor(init: RegistrationNewsInit) {
    this.#init = init
  }

  #say(style: string, event: string, words: string, more: Readonly<Record<string, string>> = {}): void {
    const { service, id, json, stream } = this.#init
    const text = `${color(style, event, stream)} ${service}/${id}${words}`
    void printLine(json ? JSON.stringify({ event, service, id, ...more }) : text, stream)
  }

  state(state: RegistrationState): void {
    const last = this.#last
    this.#last = state.type
    switch (state.type) {
      case 'registered': {
        if (state.problem === undefined) return this.#say('32', 'registered', '')
        const reason = textOf(state.problem)
        return this.#say('33', 'refused', ': the lists show what was said before: '.concat(reason), { reason })
      }
      case 'registering': {
        // It was told, and is being tried again; at the beginning nothing is lost yet.
        if (last === 'registering') return
        const reason = textOf(state.problem)
        return this.#say('33', 'lost', `: ${reason}; it is registered anew as soon as that is possible`, { reason })
      }
      case 'waiting':
        return this.#say('33', 'waiting', ': another instance has this id, and goes when its process has ended')
      case 'jeopardy':
        return this.#say('33', 'jeopardy', ': no leader answers, and it may be off the lists')
      case 'deregistered':
        return this.#say('31', 'removed', ': somebody deregistered it, and it stays so')
      case 'closed':
        return this.#say('32', 'deregistered', '')
    }
  }

  /** @param why it is failing; empty if it is not. */
  health(health: Health, why: string): void {
    const [words, more] = why === '' ? ['', {}] : [`: ${why}`, { reason: why }]
    this.#say(health === 'passing' ? '32' : '31', health, words, more)
  }
}
