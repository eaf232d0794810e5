import {
  type AdmissionId,
  type CallId,
  type Epoch,
  MalformedBytes,
  type Monotonic,
  type Refusal,
  type Service,
  type ServiceEffects,
  type ServiceInput,
  unreachable,
} from '@conclave/interface'
import type { CallReply } from '../calls.ts'
import { decodeCall, decodeCommand, encodeCallReply, encodeCommand } from '../codec.ts'
import type { ChubbyCommand } from '../commands.ts'
import type { ChubbyView } from '../view.ts'
import { Reign } from './reign.ts'

/** A process that was stopped, or busy, for longer counts so much of it: its clients could not be heard meanwhile. In milliseconds. */
const mostStep = 250

type Answer = { readonly call: CallId } & ({ readonly reply: Uint8Array } | { readonly refused: Refusal })

/**
 * The session service: what the master of a Chubby cell does besides the log. It grants leases, tells sessions what happens, lets writes wait for caches, and has the log decide that
 * a session has expired. Its time is its own: it follows the node's monotonic clock, but never in leaps.
 */
class SessionService implements Service {
  readonly #view: ChubbyView
  #reign: Reign | undefined
  #time = 0
  #now: number | undefined
  #answers: Answer[] = []
  #admitted: { admission: AdmissionId; refused?: Refusal }[] = []
  #propose: Uint8Array[] = []
  #confirm: number | undefined
  #own = 0

  constructor(view: ChubbyView) {
    this.#view = view
  }

  step(input: ServiceInput, now: Monotonic): void {
    this.#time += Math.min(mostStep, Math.max(0, now - (this.#now ?? now)))
    this.#now = now
    this.#reign?.at(this.#time)
    this.#dispatch(input)
    const round = this.#reign?.end()
    if (round !== undefined) this.#confirm = round
  }

  #dispatch(input: ServiceInput): void {
    switch (input.type) {
      case 'reigns':
        this.#reign = this.#begin(input.epoch)
        return
      case 'deposed':
        this.#reign = undefined
        // What was not drained is of the reign that is over.
        this.#answers = []
        this.#admitted = []
        this.#propose = []
        this.#confirm = undefined
        this.#view.ignoreEvents()
        return
      case 'tick':
        return this.#reign?.tick()
      case 'applied':
        return this.#reign?.applied()
      case 'ask':
        return this.#ask(input.call, input.principal, input.request)
      case 'withdrawn':
        return this.#reign?.withdrawn(input.call)
      case 'admit':
        return this.#admit(input.admission, input.principal, input.command)
      case 'settled':
        return this.#reign?.settled(input.admission, input.outcome)
      case 'confirmed':
        return this.#reign?.confirmed(input.round, input.reigns)
      default:
        return unreachable(input)
    }
  }

  #begin(epoch: Epoch): Reign {
    return new Reign({
      epoch,
      view: this.#view,
      now: this.#time,
      ownAdmission: () => --this.#own,
      answer: (call, reply) => this.#answer(call, reply),
      admitted: (admission, refused) =>
        this.#admitted.push({ admission, ...(refused === undefined ? {} : { refused }) }),
      propose: (command) => this.#propose.push(encodeCommand(command)),
    })
  }

  #answer(call: CallId, reply: CallReply): void {
    this.#answers.push({ call, reply: encodeCallReply(reply) })
  }

  #ask(call: CallId, principal: string, bytes: Uint8Array): void {
    const request = parsed(() => decodeCall(bytes))
    if (request === undefined) return this.#answer(call, { type: 'refused', problem: 'malformed' })
    if (request.type === 'query' && request.local)
      return this.#answer(call, { type: 'answer', reply: this.#view.answer(request.query, principal) })
    if (this.#reign === undefined) this.#answers.push({ call, refused: 'not-leader' })
    else this.#reign.ask(call, principal, request)
  }

  #admit(admission: AdmissionId, principal: string, bytes: Uint8Array): void {
    const command: ChubbyCommand | undefined = parsed(() => decodeCommand(bytes))
    if (command === undefined) this.#admitted.push({ admission, refused: 'invalid' })
    else if (this.#reign === undefined) this.#admitted.push({ admission, refused: 'not-leader' })
    else this.#reign.admit(admission, principal, command)
  }

  drain(): ServiceEffects {
    const { length } = this.#answers
    const effects: ServiceEffects = {
      answers: length === 0 ? nothing : this.#answers,
      admitted: this.#admitted,
      ...(this.#confirm === undefined ? {} : { confirm: this.#confirm }),
      propose: this.#propose,
    }
    this.#answers = []
    this.#admitted = []
    this.#propose = []
    this.#confirm = undefined
    return effects
  }
}

const nothing: readonly Answer[] = []

const parsed = <T>(decode: () => T): T | undefined => {
  try {
    return decode()
  } catch (error) {
    if (error instanceof MalformedBytes) return undefined
    throw error
  }
}

/** The session service over a machine's state. */
export const sessionService = (view: ChubbyView): Service => new SessionService(view)
