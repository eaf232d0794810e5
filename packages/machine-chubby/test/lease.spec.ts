import {
  type ApplyContext,
  epoch,
  type LogTime,
  type Monotonic,
  position,
  type Service,
  type ServiceInput,
} from '@conclave/interface'
import { expect, test } from 'vitest'
import { chubbyMachine, decodeCallReply, encodeCall, encodeCommand } from '../src/index.ts'

const lease = 12_000

/** A leader with one session, whose rounds to a quorum succeed at once. */
class Leader {
  readonly #service: Service
  readonly #waiting = new Map<number, number>()
  #calls = 0
  #now = 0

  constructor() {
    const machine = chubbyMachine()
    const context: ApplyContext = { position: position(1), time: 0 as LogTime, epoch: epoch(1n) }
    machine.apply(encodeCommand({ type: 'createSession', session: 1n, principal: 'p', lease }), context)
    if (machine.service === undefined) throw new Error('the machine has no service')
    this.#service = machine.service()
    this.#step({ type: 'reigns', epoch: epoch(1n) })
  }

  /** @returns the replies to KeepAlives, and how long each was held. */
  #step(input: ServiceInput): string[] {
    const said: string[] = []
    this.#service.step(input, this.#now as Monotonic)
    const { answers, confirm } = this.#service.drain()
    for (const answer of answers) {
      const reply = 'reply' in answer ? decodeCallReply(answer.reply) : undefined
      if (reply?.type !== 'alive') continue
      const held = this.#now - (this.#waiting.get(answer.call) ?? this.#now)
      said.push(
        `after ${held} ms: lease ${reply.lease}${reply.notices.map(({ notice }) => `, ${notice.type}`).join('')}`,
      )
    }
    return confirm === undefined ? said : [...said, ...this.#step({ type: 'confirmed', round: confirm, reigns: true })]
  }

  keepAlive(acked: number): string[] {
    const call = ++this.#calls
    this.#waiting.set(call, this.#now)
    const request = encodeCall({ type: 'keepAlive', session: 1n, epoch: epoch(1n), acked })
    return this.#step({ type: 'ask', call, principal: 'p', request })
  }

  pass(millis: number): string[] {
    const said: string[] = []
    for (const end = this.#now + millis; this.#now < end; ) {
      this.#now += 50
      said.push(...this.#step({ type: 'tick' }))
    }
    return said
  }
}

test('a new leader tells a session of the fail-over, and then at once of its whole new lease: little of the old one may be left', () => {
  const leader = new Leader()
  expect(leader.keepAlive(0)).toEqual(['after 0 ms: lease 0, failedOver'])
  expect(leader.keepAlive(1)).toEqual([])
  expect(leader.pass(50)).toEqual(['after 50 ms: lease 12000'])
})

test('a lease is extended when two thirds of it are left', () => {
  const leader = new Leader()
  leader.keepAlive(0)
  leader.keepAlive(1)
  leader.pass(50)
  leader.keepAlive(1)
  expect(leader.pass(lease)).toEqual([`after ${lease / 3} ms: lease ${lease}`])
})
