import {
  concatChunks,
  type Effects,
  type Engine,
  type EngineFactory,
  type EngineLimits,
  type Input,
  type Membership,
  type MembershipChange,
  type Monotonic,
  type NodeId,
  type Position,
  type ReadLevel,
  type RequestId,
  type Send,
  type SnapshotId,
  seededRandom,
} from '@conclave/interface'
import { Disk } from './disk.ts'
import { check, type Invariants } from './invariants.ts'
import { timing } from './node.ts'
import type { Subject } from './subject.ts'
import { Writes } from './writes.ts'

/** Small, so that windows fill, tails are evicted, and peers need snapshots all the time. */
export const tight: EngineLimits = { messageBytes: 500, inflightBytes: 700, undecidedBytes: 2_000, tailBytes: 600 }

export interface Packet {
  readonly from: NodeId
  readonly to: NodeId
  readonly bytes: Uint8Array
}

/** One transfer of a snapshot body; it ends for its sender in exactly one `snapshotSent`. */
export interface Transfer {
  readonly from: NodeId
  readonly to: NodeId
  readonly id: SnapshotId
  readonly header: Uint8Array
  state: 'asked' | 'offered' | 'accepted' | 'received' | 'failed'
}

/** What a world may cheat about, to see that the invariants notice. */
export type Cheat =
  | 'none'
  | 'messages leave before their writes are durable'
  | 'a crash takes the end of the log'
  | 'clocks run at very different rates'

export interface HostInit {
  readonly id: NodeId
  readonly subject: Subject
  readonly factory: EngineFactory
  readonly founders: Membership
  readonly seed: number
  readonly invariants: Invariants
  readonly cheat: Cheat
  readonly leases: boolean
  /** Its clock. */
  now(): number
}

type Waiting =
  | { readonly type: 'batch'; readonly batch: string }
  | { readonly type: 'read'; readonly floor: number; readonly level: ReadLevel }
  | { readonly type: 'change'; readonly change: MembershipChange }

/** A node with its disk: writes become durable later and one by one, messages wait for them, a crash loses the rest. */
export class Host {
  readonly id: NodeId
  readonly disk = new Disk()
  up = true
  readonly out: Packet[] = []
  readonly asked: Transfer[] = []
  readonly answers: { readonly from: NodeId; readonly accept: boolean }[] = []
  wantsCapture = false
  captures: { readonly id: SnapshotId; readonly position: Position }[] = []
  /** The position that is decided here and applied. */
  applied = 0
  /** It holds links to these. */
  links = new Set<NodeId>()
  #engine: Engine
  #writes: Writes
  #open = new Map<number, Waiting>()
  #nextRequest = 1
  #incarnation = 0
  readonly #init: HostInit

  constructor(init: HostInit) {
    this.id = init.id
    this.#init = init
    this.#writes = this.#journal()
    this.#engine = this.#start()
    this.turn()
  }

  get unsynced(): number {
    return this.#writes.unsynced
  }
  get status() {
    return this.#engine.status()
  }
  get isMember(): boolean {
    return this.#init.invariants.membership.members.some(({ id }) => id === this.id)
  }

  #journal(): Writes {
    const leaky = this.#init.cheat === 'messages leave before their writes are durable'
    return new Writes(this.disk, (send) => this.#emit(send), leaky)
  }

  #start(): Engine {
    const { founders, seed, leases, factory } = this.#init
    this.applied = this.disk.snapshot?.position ?? 0
    const random = seededRandom(seed * 1_000 + this.#incarnation++ * 10 + Number(this.id.slice(1)))
    const recovered = this.disk.state()
    return factory.create({ self: this.id, founders, recovered, timing, random, limits: tight, leases })
  }

  crash(): void {
    this.up = false
    this.#writes = this.#journal()
    this.out.length = 0
    this.asked.length = 0
    this.answers.length = 0
    this.captures = []
    this.wantsCapture = false
    this.#open.clear()
    if (this.#init.cheat === 'a crash takes the end of the log')
      for (const at of [...this.disk.slots.keys()].sort((a, b) => b - a).slice(0, 3)) this.disk.slots.delete(at)
  }

  restart(): void {
    this.up = true
    this.#engine = this.#start()
    this.turn()
  }

  #ask(waiting: Waiting, input: (id: RequestId) => Input): void {
    const id = this.#nextRequest++ as RequestId
    this.#open.set(id, waiting)
    this.turn(input(id))
    if (waiting.type === 'read' && waiting.level === 'lease' && this.status.leading && !this.#open.has(id))
      this.#init.invariants.done.leaseReads++ // at once
  }

  propose(batch: string): void {
    this.#ask({ type: 'batch', batch }, (id) => ({ type: 'propose', id, batch: new TextEncoder().encode(batch) }))
  }

  read(level: ReadLevel): void {
    const floor = this.#init.invariants.decided
    this.#ask({ type: 'read', floor, level }, (id) => ({ type: 'read', id, level }))
  }

  reconfigure(change: MembershipChange): void {
    this.#ask({ type: 'change', change }, (id) => ({ type: 'reconfigure', id, change }))
  }

  turn(...inputs: Input[]): void {
    for (const input of inputs) this.#engine.step(input, this.#init.now() as Monotonic)
    this.#take(this.#engine.drain())
    const { leading, epoch } = this.status
    if (leading) this.#init.invariants.leads(this.id, epoch)
  }

  #take(effects: Effects): void {
    this.#writes.take(effects)
    if (effects.peers !== undefined) this.#link(effects.peers.map(({ id }) => id))
    if (effects.restore !== undefined) this.#restore(effects.restore.position, effects.restore.epoch)
    for (const decided of effects.decide) {
      check(decided.position === this.applied + 1, `${this.id} decides ${decided.position} after ${this.applied}`)
      this.applied = decided.position
      this.#init.invariants.decide(this.id, decided)
    }
    for (const { id, outcome } of effects.settle) this.#settle(id, outcome)
    for (const transfer of effects.sendSnapshot ?? []) this.asked.push({ from: this.id, ...transfer, state: 'asked' })
    this.answers.push(...(effects.answerSnapshot ?? []))
    if (effects.capture === true) this.wantsCapture = true
  }

  #link(ids: readonly NodeId[]): void {
    this.links = new Set(ids)
    check(this.links.size === ids.length && !this.links.has(this.id), `${this.id} is told to link to ${ids}`)
    for (const { id } of this.status.membership.members)
      check(id === this.id || this.links.has(id), `${this.id} has no link to the member ${id}`)
  }

  #restore(position: number, epoch: bigint): void {
    check(position > this.applied, `${this.id} restores ${position} after ${this.applied}`)
    const { subject, invariants } = this.#init
    const { status } = this
    const known = subject.foresees?.(status, position) === true ? undefined : status.membership
    invariants.restore(this.id, position, epoch, known)
    this.applied = position
  }

  #settle(id: number, outcome: Effects['settle'][number]['outcome']): void {
    const { invariants } = this.#init
    const waiting = this.#open.get(id)
    this.#open.delete(id)
    switch (waiting?.type) {
      case undefined:
        return check(false, `${id} is settled twice at ${this.id}`)
      case 'batch':
        if (outcome.type === 'decided') invariants.settledDecided(waiting.batch, outcome.position)
        else if (outcome.type === 'refused') invariants.refuse(waiting.batch)
        else invariants.unknown(waiting.batch)
        return
      case 'change':
        if (outcome.type === 'decided') invariants.changed(outcome.position, shows(waiting.change))
        else if (outcome.type === 'refused' && 'member' in waiting.change) invariants.refuse(waiting.change.member.name)
        return
      case 'read': {
        const { level, floor } = waiting
        if (outcome.type === 'readAt')
          check(outcome.position >= floor, `a ${level} read at ${outcome.position} of ${this.id} misses ${floor}`)
        return
      }
    }
  }

  /** Makes the oldest `count` writes durable, and lets go what waited for them. */
  sync(count?: number): void {
    const write = this.#writes.sync(count)
    if (write !== undefined) this.turn({ type: 'persisted', write })
  }

  #emit({ to, message }: Send): void {
    check(concatChunks(message).length <= tight.messageBytes, 'a message is larger than the limit')
    this.out.push({ from: this.id, to, bytes: concatChunks(message).slice() })
  }
}

/** What a configuration shows when the change is done. */
const shows =
  (change: MembershipChange) =>
  ({ members, removed }: Membership): boolean => {
    const { type } = change
    const id = 'id' in change ? change.id : change.member.id
    const member = members.find((other) => other.id === id)
    if (type === 'remove') return member === undefined && removed?.includes(id) === true
    if (type === 'promote') return member?.promote === true
    return member?.name === change.member.name
  }
