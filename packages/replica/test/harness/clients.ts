import { encodeBlock, type NodeId, type Random, replyStatus, sessionCommands, visitReplies } from '@conclave/interface'
import { decodeInfoReply, decodeWriteReply, encodeKey, encodePut, encodeQuery } from '@conclave/machine-kv'
import type { BlockOutcome, ReadOutcome } from '@conclave/replica'
import type { VirtualClock } from '../virtual-clock.ts'
import { type Checks, hex } from './checks.ts'
import type { SimulatedNode } from './cluster.ts'

export interface ClientInit {
  readonly number: number
  readonly operations: number
  readonly nodes: readonly SimulatedNode[]
  readonly clock: VirtualClock
  readonly random: Random
  readonly checks: Checks
  /** Broken on purpose: a retry gets serials of its own, so that nothing tells it from a new command. */
  readonly renumber?: boolean
}

interface Operation {
  readonly commands: readonly { readonly serial: number; readonly machine: number; readonly bytes: Uint8Array }[]
  attempts: number
  done: boolean
}

const renumbered = (operation: Operation, attempt: number): Operation => ({
  ...operation,
  commands: operation.commands.map((command) => ({ ...command, serial: command.serial + (attempt - 1) * 5_000 })),
})

/** Writes and reads, one operation after the other; what is not answered in time is tried again, elsewhere, with the same serials. */
export class Client {
  readonly #init: ClientInit
  readonly #session: bigint
  #serial = 1
  #opened = false
  #hint: NodeId | undefined
  completed = 0

  constructor(init: ClientInit) {
    this.#init = init
    this.#session = BigInt(init.number) + 1_000n
  }

  get finished(): boolean {
    return this.completed >= this.#init.operations
  }

  /** Begins the next operation. */
  next(): void {
    if (this.finished) return
    const { random } = this.#init
    if (!this.#opened)
      this.#write({
        commands: [{ serial: 0, machine: 0, bytes: Uint8Array.of(sessionCommands.open) }],
        attempts: 0,
        done: false,
      })
    else if (random.next() < 0.3) this.#read()
    else
      this.#write({
        commands: Array.from({ length: 1 + Math.floor(random.next() * 3) }, () => this.#put()),
        attempts: 0,
        done: false,
      })
  }

  #put(): Operation['commands'][number] {
    const { random, number } = this.#init
    const serial = this.#serial++
    const key = encodeKey(`k${Math.floor(random.next() * 6)}`)
    // Unique, so that a command that is applied twice can be told.
    const value = new TextEncoder().encode(`${number}/${serial}/`.padEnd(20 + Math.floor(random.next() * 60), '.'))
    const condition = random.next() < 0.2 ? BigInt(Math.floor(random.next() * 20)) : undefined
    return { serial, machine: 1, bytes: encodePut(key, value, condition) }
  }

  #node(): SimulatedNode | undefined {
    const { nodes, random } = this.#init
    const hinted = nodes.find(({ id }) => id === this.#hint)
    this.#hint = undefined
    return hinted ?? nodes[Math.floor(random.next() * nodes.length)]
  }

  #later(run: () => void): void {
    const { clock, random } = this.#init
    clock.after(2 + random.next() * 15, run)
  }

  #completed(): void {
    this.completed++
    this.#init.clock.after(this.#init.random.next() * 20, () => this.next())
  }

  // ---- writes ---------------------------------------------------------------------------------------------------------------------------

  #write(operation: Operation): void {
    if (operation.done) return
    const attempt = ++operation.attempts
    const node = this.#node()
    const replica = node?.serving
    const again = (): void => {
      if (operation.attempts === attempt) this.#later(() => this.#write(operation))
    }
    if (replica === undefined) return again()
    const sent = this.#init.renumber === true ? renumbered(operation, attempt) : operation
    const block = encodeBlock(this.#session, operation.commands[0]?.serial ?? 0, sent.commands)
    replica.submit(block, (outcome) => this.#outcome(sent, outcome, node?.id, again))
    this.#init.clock.after(60 + this.#init.random.next() * 120, again)
  }

  #outcome(operation: Operation, outcome: BlockOutcome, from: NodeId | undefined, again: () => void): void {
    if (outcome.type !== 'replies') {
      if (outcome.type === 'refused') this.#hint = outcome.leader
      if (!operation.done) again()
      return
    }
    this.#hint = from
    let complete = true
    visitReplies(outcome.bytes, (serial, status, reply) => {
      if (status === replyStatus.applied) this.#acknowledged(operation, serial, reply)
      else if (status === replyStatus.staleSerial && operation.done)
        complete = false // a late attempt of what was acknowledged
      else {
        complete = false
        this.#init.checks.broken(`client ${this.#init.number} got status ${status} for serial ${serial}`)
      }
    })
    if (!complete || operation.done) return
    operation.done = true
    this.#opened = true
    this.#completed()
  }

  #acknowledged(operation: Operation, serial: number, reply: Uint8Array): void {
    const command = operation.commands.find((sent) => sent.serial === serial)
    const { checks } = this.#init
    if (command === undefined)
      return checks.broken(`client ${this.#init.number} got a reply to serial ${serial}, which it had not sent`)
    if (command.machine === 0) return
    checks.acknowledged(hex(command.bytes), hex(reply))
    const result = decodeWriteReply(reply)
    if (result.status === 'done' && result.revision > checks.ackedRevision) checks.ackedRevision = result.revision
  }

  // ---- reads ----------------------------------------------------------------------------------------------------------------------------

  /** Linearizable: never below what was acknowledged, to whomever, before it began. */
  #read(): void {
    const { checks, clock, random } = this.#init
    const replica = this.#node()?.serving
    if (replica === undefined) return this.#later(() => this.#read())
    const least = checks.ackedRevision
    let open = true
    const again = (): void => {
      if (open) this.#later(() => this.#read())
      open = false
    }
    replica.read('linearizable', (outcome: ReadOutcome) => {
      if (outcome.type !== 'ready') {
        if (outcome.type === 'refused') this.#hint = outcome.leader
        return again()
      }
      const { revision } = decodeInfoReply(replica.query(1, encodeQuery({ type: 'info' })) ?? new Uint8Array(0))
      checks.note(`client ${this.#init.number} reads ${revision}`)
      if (revision < least)
        checks.broken(
          `a linearizable read returned revision ${revision}, though ${least} was acknowledged before it began`,
        )
      if (!open) return
      open = false
      this.#completed()
    })
    clock.after(60 + random.next() * 120, again)
  }
}
