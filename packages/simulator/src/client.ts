import { encodeBlock, type NodeId, type Random, type ReplyStatus, replyStatus, visitReplies } from '@conclave/interface'
import { decodeGetReply, decodeWriteReply, encodeKey, encodeQuery, type WriteReply } from '@conclave/machine-kv'
import type { BlockOutcome, ReadOutcome, Replica } from '@conclave/replica'
import type { History } from './history.ts'
import type { SimulatedNode } from './node.ts'
import { type Draft, draftWrite, openSession } from './operations.ts'
import { between, chance, integer, pick } from './streams.ts'
import type { Surroundings } from './surroundings.ts'

/** What all clients of a run share. */
export interface Clients {
  /** The highest revision that was acknowledged to anybody. */
  revision: bigint
  invoked: number
  completed: number
}

export interface ClientInit {
  readonly around: Surroundings
  readonly number: number
  readonly nodes: readonly SimulatedNode[]
  readonly history: History
  readonly shared: Clients
  /** Milliseconds between operations, about. */
  readonly paceMillis: () => number
}

type Level = 'linearizable' | 'lease' | 'local'

interface Write {
  readonly id: number
  readonly drafts: readonly Draft[]
  readonly ends: ((reply: WriteReply) => void)[]
  attempts: number
  done: boolean
}

/** Keys that all clients write. */
const keys = ['k1', 'k2', 'k3', 'k4', 'k5']
/** Part of a client's messages that are lost, each way. */
const lossOdds = 0.03
const lanes = 2
/** Operations that a client begins after the healing, at the most: enough to see that the cluster serves. */
const afterHealing = 10

/**
 * One client: up to two operations at a time; what is not answered in time is tried again, elsewhere, with the same serials. Its requests and replies
 * are messages: they take time, may be lost, and wait for a process that is stopped.
 */
export class Client {
  readonly #init: ClientInit
  readonly #random: Random
  readonly #session: bigint
  readonly #open = new Set<Write>()
  /** The revision of each key as this client saw it last. */
  readonly #seen = new Map<string, bigint>()
  #serial = 1
  #begun = 0
  #most: number
  #completed = 0
  #hint: NodeId | undefined

  constructor(init: ClientInit) {
    this.#init = init
    this.#random = init.around.streams('client', init.number)
    this.#session = BigInt(init.number) + 1_000n
    this.#most = init.around.plan.operationsEach
  }

  get completed(): number {
    return this.#completed
  }
  get finished(): boolean {
    return this.#completed >= this.#most
  }

  /** How far it is, for people. */
  get words(): string {
    return `${this.#completed}/${this.#init.around.plan.operationsEach}`
  }

  /** Everything is well again: it ends what it has begun, and begins a few more. */
  heal(): void {
    this.#most = Math.min(this.#most, this.#begun + afterHealing)
  }

  start(): void {
    this.#write([openSession], () => {
      for (let lane = 0; lane < lanes; lane++) this.#later(0, () => this.#next())
    })
  }

  #next(): void {
    const { plan } = this.#init.around
    if (this.#begun >= this.#most) return
    this.#begun++
    const finished = (): void => {
      this.#completed++
      this.#later(between(this.#random, 0, 2 * this.#init.paceMillis()), () => this.#next())
    }
    const dice = this.#random.next()
    if (dice < 0.2) this.#read('linearizable', finished)
    else if (dice < 0.32) this.#read(plan.leases ? 'lease' : 'linearizable', finished)
    else if (dice < 0.38) this.#read('local', finished)
    else this.#write(this.#drafts(), finished)
  }

  #drafts(): Draft[] {
    const count = chance(this.#random, 0.7) ? 1 : integer(this.#random, 2, 3)
    return Array.from({ length: count }, () => {
      const key = pick(this.#random, keys) ?? 'k1'
      return draftWrite(this.#random, this.#serial++, this.#init.number, key, this.#seen.get(key))
    })
  }

  #later(ms: number, run: () => void): void {
    this.#init.around.clock.after(ms, run)
  }

  #node(): SimulatedNode | undefined {
    const { nodes } = this.#init
    const hinted = nodes.find(({ id }) => id === this.#hint)
    this.#hint = undefined
    return (
      hinted ??
      pick(
        this.#random,
        nodes.filter(({ state }) => state !== 'absent'),
      )
    )
  }

  /** A request reaches the process that ran when it was sent, if it still does; how long an answer takes is up to `reply`. */
  #send(node: SimulatedNode, arrive: (replica: Replica) => void): void {
    const { lives } = node
    const [lost, delay] = [chance(this.#random, lossOdds), between(this.#random, 0.1, 3)]
    if (lost || node.serving === undefined) return
    node.gate.after(delay, () => {
      if (node.serving !== undefined && node.lives === lives) arrive(node.serving)
    })
  }

  #reply(arrive: () => void): void {
    const [lost, delay] = [chance(this.#random, lossOdds), between(this.#random, 0.1, 3)]
    if (!lost) this.#later(delay, arrive)
  }

  #tell(type: 'invoked' | 'returned', operation: number, what: string): void {
    this.#init.around.tell({ type, client: this.#init.number, operation, what })
  }

  // ---- writes ---------------------------------------------------------------------------------------------------------------------------

  #write(drafts: readonly Draft[], finished: () => void): void {
    const { shared, history, number } = this.#init
    const write: Write = {
      id: ++shared.invoked,
      drafts,
      ends: drafts.map(({ input }) => {
        const end = input && history.invoke(number, input)
        return (reply) => {
          if (reply.status === 'done') end?.({ type: 'done', revision: reply.revision, previous: reply.previous })
          else if (reply.status === 'mismatch') end?.({ type: 'mismatch', current: reply.current })
        }
      }),
      attempts: 0,
      done: false,
    }
    this.#open.add(write)
    this.#tell('invoked', write.id, drafts.map(({ words }) => words).join(', '))
    this.#attempt(write, finished)
  }

  #attempt(write: Write, finished: () => void): void {
    if (write.done) return
    const attempt = ++write.attempts
    if (attempt > 1) this.#init.around.tell({ type: 'retried', client: this.#init.number, operation: write.id })
    const node = this.#node()
    const again = (): void => {
      if (write.attempts === attempt) this.#later(between(this.#random, 2, 17), () => this.#attempt(write, finished))
    }
    if (node !== undefined) {
      const block = this.#block(write, attempt)
      this.#send(node, (replica) =>
        replica.submit(block.slice(), (outcome) =>
          this.#reply(() => this.#outcome(write, outcome, node.id, again, finished)),
        ),
      )
    }
    this.#later(between(this.#random, 60, 180), again)
  }

  #block(write: Write, attempt: number): Uint8Array {
    let ackedBelow = this.#serial
    for (const open of this.#open)
      for (const { command } of open.drafts) ackedBelow = Math.min(ackedBelow, command.serial)
    const shift = this.#init.around.parts.hooks.renumberRetries === true ? (attempt - 1) * 5_000 : 0
    const commands = write.drafts.map(({ command }) => ({ ...command, serial: command.serial + shift }))
    return encodeBlock(this.#session, ackedBelow, commands)
  }

  #outcome(write: Write, outcome: BlockOutcome, from: NodeId, again: () => void, finished: () => void): void {
    if (outcome.type !== 'replies') {
      if (outcome.type === 'refused') this.#hint = outcome.leader
      const reason = outcome.type === 'refused' ? outcome.reason : 'unknown'
      this.#init.around.tell({ type: 'refused', client: this.#init.number, reason })
      if (!write.done) again()
      return
    }
    this.#hint = from
    if (write.done) return // a late answer to an earlier attempt
    let complete = true
    let at = 0
    visitReplies(outcome.bytes, (serial, status, reply) => {
      if (!this.#acknowledged(write, at++, serial, status, reply)) complete = false
    })
    if (!complete || at !== write.drafts.length) return
    write.done = true
    this.#open.delete(write)
    this.#init.shared.completed++
    this.#tell('returned', write.id, 'done')
    finished()
  }

  /** False if the answer is not one that this client may get. */
  #acknowledged(write: Write, at: number, serial: number, status: ReplyStatus, reply: Uint8Array): boolean {
    const { around, number, shared } = this.#init
    const draft = write.drafts[at]
    if (draft === undefined || status !== replyStatus.applied) {
      around.broken('exactly-once sessions', `client ${number} got status ${status} for its command ${serial}`)
      return false
    }
    if (draft.input === undefined) return true
    const { bytes: command } = draft.command
    around.tell({ type: 'acknowledged', client: number, session: this.#session, serial, command, reply })
    if (reply.length === 0) return false // no machine replied so: an invariant has said it by now
    const result = decodeWriteReply(reply)
    write.ends[at]?.(result)
    if (result.status === 'done') {
      if (result.revision > shared.revision) shared.revision = result.revision
      this.#seen.set(draft.input.key, draft.input.type === 'delete' ? 0n : result.revision)
    } else if (result.status === 'mismatch') this.#seen.set(draft.input.key, result.current)
    return true
  }

  // ---- reads ----------------------------------------------------------------------------------------------------------------------------

  #read(level: Level, finished: () => void): void {
    const { shared, history, number } = this.#init
    const id = ++shared.invoked
    const key = pick(this.#random, keys) ?? 'k1'
    const end = level === 'local' ? undefined : history.invoke(number, { type: 'get', key })
    this.#tell('invoked', id, `get ${key}${level === 'linearizable' ? '' : ` (${level})`}`)
    const read: Read = { id, level, key, least: shared.revision, open: true, attempts: 0 }
    this.#ask(read, (value, modRevision, revision) => {
      end?.({ type: 'got', value, modRevision, revision })
      this.#seen.set(key, modRevision)
      shared.completed++
      this.#tell('returned', id, `${key} at ${modRevision}`)
      finished()
    })
  }

  #ask(read: Read, done: (value: string | null, modRevision: bigint, revision: bigint) => void): void {
    if (!read.open) return
    const attempt = ++read.attempts
    const node = this.#node()
    const again = (): void => {
      if (read.open && read.attempts === attempt) this.#later(between(this.#random, 2, 17), () => this.#ask(read, done))
    }
    if (node !== undefined) this.#send(node, (replica) => this.#serve(read, node, replica, again, done))
    this.#later(between(this.#random, 60, 180), again)
  }

  #serve(
    read: Read,
    node: SimulatedNode,
    replica: Replica,
    again: () => void,
    done: (value: string | null, modRevision: bigint, revision: bigint) => void,
  ): void {
    const { lives } = node
    const { around, number } = this.#init
    replica.read(read.level, (outcome: ReadOutcome) => {
      const bytes =
        outcome.type === 'ready' ? replica.query(1, encodeQuery({ type: 'get', key: encodeKey(read.key) })) : undefined
      const answer = bytes && decodeGetReply(bytes)
      if (answer !== undefined) {
        const { level, least } = read
        const { revision } = answer
        around.tell({ type: 'read', client: number, node: node.id, level, life: lives, revision, least })
      }
      this.#reply(() => {
        if (outcome.type === 'refused') this.#hint = outcome.leader
        if (answer === undefined) return again()
        if (!read.open) return
        read.open = false
        this.#hint = node.id
        const { revision, entry } = answer
        done(entry === undefined ? null : decoder.decode(entry.value), entry?.modRevision ?? 0n, revision)
      })
    })
  }
}

const decoder = new TextDecoder()

interface Read {
  readonly id: number
  readonly level: Level
  readonly key: string
  readonly least: bigint
  open: boolean
  attempts: number
}
