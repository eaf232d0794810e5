import { type Command, encodeBlock } from '@conclave/interface'
import { encodeKey, encodePut } from '@conclave/machine-kv'
import type { BlockOutcome, Replica } from '@conclave/replica'
import { openSession } from '../operations.ts'
import { between } from '../streams.ts'
import type { World } from '../world.ts'
import type { Compass } from './compass.ts'

/** After a refusal it is tried again so much later. */
const retryMillis = 5
/** Without an answer for so long it is sent again, in case it was lost by a leader that still leads. */
const patienceMillis = 1_000
/** The store is machine number 1. */
const store = 1

interface Open {
  readonly command: Command
  readonly done: () => void
  attempts: number
}

/**
 * A client that goes to the leader, at once when there is another. Its messages take as long as those of nodes and are never lost; what is sent again keeps its
 * serial, so it is applied once.
 */
export class Caller {
  readonly #world: World
  readonly #compass: Compass
  readonly #session: bigint
  readonly #key: Uint8Array
  readonly #value: Uint8Array
  readonly #random
  readonly #open = new Map<number, Open>()
  #serial = 1

  constructor(world: World, compass: Compass, number: number, valueBytes: number) {
    this.#world = world
    this.#compass = compass
    this.#session = BigInt(number) + 1_000n
    this.#key = encodeKey(`client-${number}`)
    this.#value = new Uint8Array(valueBytes).fill(number)
    this.#random = world.around.streams('caller', number)
    compass.onLeader(() => {
      for (const open of [...this.#open.values()]) this.#send(open)
    })
  }

  /** Opens the session; to be called before anything else. */
  open(done: () => void): void {
    this.#begin(openSession.command, done)
  }

  /** Calls back when the write is answered, once. */
  write(done: () => void): void {
    const serial = this.#serial++
    this.#begin({ serial, machine: store, bytes: encodePut(this.#key, this.#value) }, done)
  }

  #begin(command: Command, done: () => void): void {
    const open: Open = { command, done, attempts: 0 }
    this.#open.set(command.serial, open)
    this.#send(open)
  }

  #send(open: Open): void {
    const attempt = ++open.attempts
    const again = (): void => {
      if (this.#open.has(open.command.serial) && open.attempts === attempt) this.#send(open)
    }
    this.#world.clock.after(patienceMillis, again)
    this.#reach((replica) => {
      const ackedBelow = Math.min(this.#serial, ...this.#open.keys())
      const block = encodeBlock(this.#session, ackedBelow, [open.command])
      replica.submit(block, (outcome) => this.#reply(() => this.#outcome(open, outcome, again)))
    })
  }

  #outcome(open: Open, outcome: BlockOutcome, again: () => void): void {
    if (outcome.type !== 'replies') {
      this.#world.clock.after(retryMillis, again)
      return
    }
    if (!this.#open.delete(open.command.serial)) return
    open.done()
  }

  /** A linearizable read; one that is refused is not tried again. */
  read(done: () => void): void {
    this.#reach((replica) =>
      replica.read('linearizable', ({ type }) => {
        if (type === 'ready') this.#reply(done)
      }),
    )
  }

  /** A request reaches the process that led when it was sent, if it still runs. */
  #reach(arrive: (replica: Replica) => void): void {
    const node = this.#compass.leader
    if (node === undefined) return
    const { lives } = node
    node.gate.after(this.#delay(), () => {
      if (node.serving !== undefined && node.lives === lives) arrive(node.serving)
    })
  }

  #reply(arrive: () => void): void {
    this.#world.clock.after(this.#delay(), arrive)
  }

  #delay(): number {
    const { least, most } = this.#world.around.plan.weather.delay
    return between(this.#random, least, most)
  }
}
