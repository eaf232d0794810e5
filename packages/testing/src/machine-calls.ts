import {
  type Command,
  encodeBlock,
  type ReplyStatus,
  replyStatus,
  sessionCommands,
  sessionsMachine,
  visitReplies,
} from '@conclave/interface'
import type { Replica } from '@conclave/replica'
import { CallTimedOut } from './errors.ts'

/** Who leads now, as far as commands are concerned. */
export interface CallTarget {
  readonly replica: Replica
  machineNumber(name: string): number
}

const statusNames = new Map<ReplyStatus, string>(
  Object.entries(replyStatus).map(([name, status]) => [status, name] as const),
)

/** Milliseconds between two attempts. */
const retryMillis = 10

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, retryMillis))

/** One attempt: the reply, or undefined if another attempt with the same serial has to find out. */
const attempt = (replica: Replica, block: Uint8Array, serial: number): Promise<Uint8Array | undefined> =>
  new Promise((resolve, reject) => {
    replica.submit(block, (outcome) => {
      if (outcome.type === 'refused' && outcome.reason === 'invalid')
        return reject(
          new RangeError('the command is too large for one request, or the service of the machine refuses it'),
        )
      if (outcome.type !== 'replies') return resolve(undefined)
      visitReplies(outcome.bytes, (of, status, bytes) => {
        if (of !== serial) return
        if (status === replyStatus.applied) resolve(bytes)
        else reject(new Error(`the command was refused: ${statusNames.get(status)}`))
      })
    })
  })

/** Commands and reads of any machine, for tests of machines: one after the other, in a session of their own, so that each is applied once. */
export class MachineCalls {
  readonly #target: (deadline: number) => Promise<CallTarget>
  readonly #session: bigint
  #serial = 1
  #last: Promise<unknown> = Promise.resolve()

  /** @param target waits for a leader; rejects at the deadline, in milliseconds of `performance.now()`. */
  constructor(target: (deadline: number) => Promise<CallTarget>) {
    this.#target = target
    this.#session = crypto.getRandomValues(new BigUint64Array(1))[0] ?? 1n
  }

  propose(machine: string, command: Uint8Array, timeout: number): Promise<Uint8Array> {
    const result = this.#last.then(() => this.#propose(machine, command, timeout))
    this.#last = result.catch(() => {})
    return result
  }

  async #propose(machine: string, command: Uint8Array, timeout: number): Promise<Uint8Array> {
    const deadline = performance.now() + timeout
    const opening = this.#serial
    this.#serial += 2
    for (;;) {
      const { replica, machineNumber } = await this.#bound(deadline)
      const commands: Command[] = [
        { serial: opening, machine: sessionsMachine, bytes: Uint8Array.of(sessionCommands.open) },
        { serial: opening + 1, machine: machineNumber(machine), bytes: command },
      ]
      const left = deadline - performance.now()
      const reply = await withinMillis(
        left,
        attempt(replica, encodeBlock(this.#session, opening, commands), opening + 1),
      )
      if (reply !== undefined) return reply
      if (performance.now() > deadline) throw new CallTimedOut(`no reply of "${machine}" within ${timeout} ms`)
      await pause()
    }
  }

  async #bound(deadline: number): Promise<CallTarget> {
    const target = await this.#target(deadline)
    return { replica: target.replica, machineNumber: (name) => target.machineNumber(name) }
  }

  async read(machine: string, query: Uint8Array, timeout: number): Promise<Uint8Array> {
    const deadline = performance.now() + timeout
    for (;;) {
      const { replica, machineNumber } = await this.#bound(deadline)
      const number = machineNumber(machine)
      const answer = new Promise<Uint8Array | undefined>((resolve) => {
        replica.read('linearizable', ({ type }) => resolve(type === 'ready' ? replica.query(number, query) : undefined))
      })
      const reply = await withinMillis(deadline - performance.now(), answer)
      if (reply !== undefined) return reply
      if (performance.now() > deadline) throw new CallTimedOut(`no answer of "${machine}" within ${timeout} ms`)
      await pause()
    }
  }
}

/** What `work` gives, or undefined when it takes longer. */
const withinMillis = async <T>(ms: number, work: Promise<T>): Promise<T | undefined> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(0, ms))
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
