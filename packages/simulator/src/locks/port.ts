import type { LockPort } from '@conclave/client/locks'
import {
  encodeBlock,
  type NodeId,
  type Random,
  replyStatus,
  sessionCommands,
  sessionsMachine,
  visitReplies,
} from '@conclave/interface'
import { encodeKey, encodePut } from '@conclave/machine-kv'
import type { BlockOutcome, Replica } from '@conclave/replica'
import type { SimulatedNode } from '../node.ts'
import type { Gate, ProcessClock } from '../process-clock.ts'
import { between, pick } from '../streams.ts'
import type { Surroundings } from '../surroundings.ts'
import { Link } from './link.ts'

/** As nodes compose their machines. */
export const chubbyMachineNumber = 2
const kvMachineNumber = 1
const encoder = new TextEncoder()

export interface PortInit {
  readonly around: Surroundings
  readonly random: Random
  readonly nodes: readonly SimulatedNode[]
  readonly clock: ProcessClock
  readonly gate: Gate
  readonly principal: string
  /** Nothing passes between it and this node. */
  readonly cutOff: (node: SimulatedNode) => boolean
  /** It has one connection, and hears of another leader only by that. */
  readonly alone: boolean
  /** The client has acted on an answer. */
  readonly answered: () => void
}

/** One call, by whichever link, until it is answered. */
interface Call {
  readonly target: 'leader' | 'any'
  /** Sends it anew. */
  readonly attempt: (link: Link) => void
  link: Link | undefined
  settled: boolean
}

/** What a client's process has of the world: links to nodes, rumours of the leader, calls that are sent again until they are answered. */
export class SimulatedPort implements LockPort {
  readonly clock: LockPort['clock']
  readonly random: Random
  readonly cluster = 'cell'
  readonly principal: string
  readonly #init: PortInit
  readonly #links = new Map<SimulatedNode, Link>()
  readonly #calls = new Set<Call>()
  #confidant: SimulatedNode | undefined
  #leader: { readonly epoch: bigint; readonly id?: NodeId } = { epoch: -1n }
  readonly #session: bigint
  #opened: Promise<void> | undefined
  #serial = 1
  readonly #unsettled = new Set<number>()

  constructor(init: PortInit) {
    this.#init = init
    const { clock, random } = init
    this.random = random
    this.principal = init.principal
    this.clock = {
      now: () => clock.now(),
      after: (ms, run) => clock.after(ms, run),
      afterHolding: (ms, run) => clock.after(ms, run),
      defer: (run) => clock.defer(run),
    }
    this.#session = BigInt(Math.floor(random.next() * Number.MAX_SAFE_INTEGER))
    this.#listen()
  }

  /** Some other node says who leads, as the second connection of a client does: for a while the same, which may know less than others. */
  #listen(): void {
    const { clock, random, nodes, cutOff, alone } = this.#init
    if (alone) return
    clock.after(between(random, 40, 120), () => {
      if (this.#confidant?.serving === undefined || random.next() < 0.1) this.#confidant = pick(random, nodes)
      const { status, gate } = this.#confidant ?? {}
      const silent = this.#confidant === undefined || cutOff(this.#confidant) || gate?.paused === true
      const engine = silent ? undefined : status?.engine
      if (engine !== undefined) this.#learn(engine.epoch, engine.leader)
      this.#listen()
    })
  }

  #learn(epoch: bigint, id: NodeId | undefined): void {
    if (epoch < this.#leader.epoch || (epoch === this.#leader.epoch && id === undefined)) return
    const moved = id !== undefined && id !== this.#leader.id
    this.#leader = { epoch, ...(id === undefined ? {} : { id }) }
    if (!moved) return
    for (const call of [...this.#calls])
      if (call.target === 'leader' && call.link !== undefined && call.link.node.id !== id) this.#send(call)
  }

  #linkFor(target: 'leader' | 'any'): Link | undefined {
    const { around, random, nodes, gate, clock, cutOff } = this.#init
    const running = nodes.filter((each) => each.serving !== undefined && !cutOff(each))
    const leader = target === 'leader' ? running.find(({ id }) => id === this.#leader.id) : undefined
    const node = leader ?? pick(random, running)
    if (node === undefined) return undefined
    const known = this.#links.get(node)
    if (known?.open === true) return known
    const link = new Link({
      around,
      random,
      node,
      gate,
      reachable: () => !clock.dead && !cutOff(node),
      broken: (gone) => this.#broken(gone),
    })
    this.#links.set(node, link)
    return link
  }

  #broken(link: Link): void {
    if (this.#links.get(link.node) === link) this.#links.delete(link.node)
    for (const call of [...this.#calls]) if (call.link === link) this.#send(call)
  }

  #send(call: Call): void {
    if (call.settled) return
    call.link = this.#linkFor(call.target)
    if (call.link === undefined) this.#again(call)
    else call.attempt(call.link)
  }

  #again(call: Call): void {
    const { clock, random } = this.#init
    call.link = undefined
    clock.after(between(random, 3, 20), () => {
      if (call.link === undefined) this.#send(call)
    })
  }

  #settle(call: Call): void {
    call.settled = true
    this.#calls.delete(call)
  }

  #start(target: Call['target'], attempt: (call: Call, link: Link) => void): Call {
    const call: Call = { target, attempt: (link) => attempt(call, link), link: undefined, settled: false }
    this.#calls.add(call)
    this.clock.defer(() => this.#send(call))
    return call
  }

  #refused(call: Call, leader: NodeId | undefined): void {
    if (leader !== undefined) this.#leader = { epoch: this.#leader.epoch, id: leader }
    else this.#leader = { epoch: this.#leader.epoch }
    this.#again(call)
  }

  ask(
    request: Uint8Array,
    target: 'leader' | 'any',
    done: (reply: Uint8Array, sentAt: number) => void,
    _failed: (error: unknown) => void,
  ): () => void {
    let withdraw: () => void = () => {}
    const call = this.#start(target, (own, link) => {
      const sentAt = this.clock.now()
      link.send((replica) => {
        const forget = link.whenGone(() => taken())
        const taken = replica.ask(chubbyMachineNumber, this.principal, request.slice(), (outcome) => {
          forget()
          link.reply(() => {
            if (own.settled || own.link !== link) return
            if (outcome.type === 'refused') return this.#refused(own, outcome.leader)
            this.#settle(own)
            done(outcome.bytes.slice(), sentAt)
            this.#init.answered()
          })
        })
        withdraw = () => link.send(() => taken())
      })
    })
    return () => {
      if (call.settled) return
      this.#settle(call)
      withdraw()
    }
  }

  command(bytes: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    return this.#command(chubbyMachineNumber, bytes, signal)
  }

  /** Writes to the key-value store. */
  async put(key: string, value: string): Promise<void> {
    await this.#command(kvMachineNumber, encodePut(encodeKey(key), encoder.encode(value)))
  }

  async #command(machine: number, bytes: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted()
    this.#opened ??= this.#submit(sessionsMachine, Uint8Array.of(sessionCommands.open), 0).then(() => {})
    await this.#opened
    signal?.throwIfAborted()
    const serial = this.#serial++
    this.#unsettled.add(serial)
    try {
      return await this.#submit(machine, bytes, serial, signal)
    } finally {
      this.#unsettled.delete(serial)
    }
  }

  #submit(machine: number, bytes: Uint8Array, serial: number, signal?: AbortSignal): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const call = this.#start('leader', (own, link) => {
        const ackedBelow = serial === 0 ? 0 : Math.min(...this.#unsettled)
        const block = encodeBlock(this.#session, ackedBelow, [{ serial, machine, bytes }])
        link.send((replica: Replica) =>
          replica.submit(
            block,
            (outcome) =>
              link.reply(() => {
                if (own.settled || own.link !== link) return
                this.#outcome(own, outcome, resolve, reject)
              }),
            this.principal,
          ),
        )
      })
      signal?.addEventListener(
        'abort',
        () => {
          if (call.settled) return
          this.#settle(call)
          reject(signal.reason)
        },
        { once: true },
      )
    })
  }

  #outcome(
    call: Call,
    outcome: BlockOutcome,
    resolve: (reply: Uint8Array) => void,
    reject: (error: Error) => void,
  ): void {
    if (outcome.type === 'unknown') return this.#again(call)
    if (outcome.type === 'refused') {
      if (outcome.reason !== 'invalid') return this.#refused(call, outcome.leader)
      this.#settle(call)
      return reject(new Error('the command was refused as invalid'))
    }
    let answer: Uint8Array | undefined
    visitReplies(outcome.bytes, (_serial, status, reply) => {
      if (status === replyStatus.applied) answer = reply.slice()
    })
    if (answer === undefined) return this.#again(call)
    this.#settle(call)
    resolve(answer)
  }
}
