import { type Membership, type NodeId, nodeId } from '@conclave/interface'
import { snapshotId } from './inputs.ts'
import { type Flying, type Make, Node } from './node.ts'
import type { Subject } from './subject.ts'

/** So many voters: n1, n2 and so on. */
export const foundersOf = (count: number): Membership => {
  const ids = Array.from({ length: count }, (_, i) => nodeId(`n${i + 1}`))
  return { members: ids.map((id) => ({ id, name: id, addresses: [], role: 'voter' })) }
}

/** One node of several, n1, and what it says. */
export const lone = <Message>(
  subject: Subject<Message>,
  { count = 3, ...make }: Make & { readonly count?: number },
) => {
  const said: Flying<Message>[] = []
  const founders = make.founders ?? foundersOf(count)
  const node = new Node(subject, nodeId('n1'), founders, (flying) => said.push(flying), make)
  /** What it said last. */
  const reply = (): Message => {
    const last = said.at(-1)
    if (last === undefined) throw new Error('nothing was said')
    return last.message
  }
  return { node, said, reply }
}

/** A few nodes, n1, n2 and so on, and the messages between them, delivered when the test says so. */
export class Cluster<Message> {
  readonly all = new Map<NodeId, Node<Message>>()
  flying: Flying<Message>[] = []
  /** Messages that are not delivered. */
  cut: (flying: Flying<Message>) => boolean = () => false
  /** Sees every message that is delivered. */
  watch: (flying: Flying<Message>) => unknown = () => undefined
  founders: Membership
  readonly #subject: Subject<Message>
  readonly #make: Make

  constructor(subject: Subject<Message>, count: number, make: Make = {}) {
    this.#subject = subject
    this.#make = make
    this.founders = make.founders ?? foundersOf(count)
    for (let n = 1; n <= count; n++) this.#start(n, { seed: n })
  }

  #start(n: number, make: Make): Node<Message> {
    const out = (flying: Flying<Message>) => this.flying.push(flying)
    const node = new Node(this.#subject, nodeId(`n${n}`), this.founders, out, { ...this.#make, ...make })
    this.all.set(node.id, node)
    return node
  }

  /** A node that is to join: it knows who founded the cluster, and is none of them. */
  join(n: number, make: Make = {}): Node<Message> {
    return this.#start(n, { seed: n, now: this.at(1).now, ...make })
  }

  at(n: number): Node<Message> {
    const node = this.all.get(nodeId(`n${n}`))
    if (node === undefined) throw new Error(`no node n${n}`)
    return node
  }

  /** Starts a node anew from what is on its disk; of another make, if told so. */
  restart(n: number, make: Make = {}): Node<Message> {
    const { disk, now } = this.at(n)
    return this.#start(n, { seed: n + 100, disk, now, ...make })
  }

  deliver(flying: Flying<Message>): void {
    this.watch(flying)
    this.all.get(flying.to)?.turn({ type: 'receive', from: flying.from, message: flying.bytes })
  }

  /** Delivers everything, and what follows from it. */
  settle(): void {
    for (let rounds = 0; this.flying.length > 0; rounds++) {
      if (rounds > 10_000) throw new Error('the nodes talk without end')
      const flying = this.flying.shift()
      if (flying === undefined) return
      if (this.cut(flying)) this.#make.witness?.lost(flying)
      else this.deliver(flying)
    }
  }

  /** Ticks everybody, and delivers. */
  rounds(times: number): void {
    for (let i = 0; i < times; i++) {
      for (const node of [...this.all.values()]) node.tick()
      this.settle()
    }
  }

  /** Lets `n` campaign until it leads: nobody else may. Whoever hangs gets no tick. */
  elect(n: number, { hung = 0 } = {}): Node<Message> {
    const node = this.at(n)
    for (let i = 0; i < 500 && !node.status.leading; i++) {
      for (const other of this.all.values()) if (![node.id, `n${hung}`].includes(other.id) && i < 40) other.tick()
      node.tick()
      this.flying = this.flying.filter(({ from, message }) => from === node.id || !this.#subject.campaigns(message))
      this.hint(n)
      this.settle()
    }
    if (!node.status.leading) throw new Error(`n${n} was not elected`)
    return node
  }

  /** Whether a hint puts a node forward: its own time-out may make somebody else lead. */
  get isHinted(): boolean {
    return this.#subject.hint !== undefined
  }

  /** Puts `n` forward: whoever can hear it takes it for the leader. */
  hint(n: number): void {
    const { id: from } = this.at(n)
    const bytes = this.#subject.hint?.(from)
    if (bytes === undefined) return
    for (const { id: to } of this.all.values()) {
      const flying = { from, to, bytes, message: this.#subject.decode(bytes) }
      if (to !== from && !this.cut(flying)) this.deliver(flying)
    }
  }

  /** Carries the last snapshot that `from` has asked for: offer, answer, body, end. */
  carrySnapshot(from: number, to: number): void {
    const [sender, receiver] = [this.at(from), this.at(to)]
    const asked = sender.effects
      .flatMap(({ sendSnapshot = [] }) => sendSnapshot)
      .findLast((one) => one.to === receiver.id)
    if (asked === undefined) throw new Error(`${sender.id} sends no snapshot to ${receiver.id}`)
    const { id, header } = asked
    receiver.turn({ type: 'snapshotOffered', from: sender.id, header })
    const ok = receiver.effects.some(({ answerSnapshot = [] }) => answerSnapshot.at(-1)?.accept === true)
    if (ok)
      receiver.turn({ type: 'snapshotReceived', from: sender.id, id: snapshotId(`${id} of ${sender.id}`), header })
    sender.turn({ type: 'snapshotSent', to: receiver.id, id, ok })
  }

  isolate(...ns: number[]): void {
    const cut = new Set(ns.map((n) => `n${n}`))
    this.cut = ({ from, to }) => cut.has(from) !== cut.has(to)
  }

  heal(): void {
    this.cut = () => false
  }
}
