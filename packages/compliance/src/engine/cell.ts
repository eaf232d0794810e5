import {
  type Decided,
  type EngineLimits,
  type JournalOp,
  type Member,
  type Membership,
  type NodeId,
  nodeId,
  type Outcome,
  type Position,
  type RequestId,
  type SnapshotId,
} from '@conclave/interface'
import { type Draw, drawOf } from '../draw.ts'
import { JournalModel } from '../journal/model.ts'
import { Findings } from './findings.ts'
import { EngineNode, type NodeWorld, timing } from './node.ts'
import type { EngineSubject } from './subject.ts'

export const roomy: EngineLimits = {
  messageBytes: 1 << 16,
  inflightBytes: 1 << 16,
  undecidedBytes: 1 << 20,
  tailBytes: 1 << 20,
}

interface Flying {
  readonly from: NodeId
  readonly to: NodeId
  readonly message: Uint8Array
}

/** A request that some node was handed in its present life. */
interface Asked {
  readonly node: EngineNode
  readonly kind: 'proposal' | 'read' | 'change'
  readonly batch: string
  /** The last position that was acknowledged to anybody when it was asked. */
  readonly floor: number
  cancelled: boolean
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const mostRounds = 2000

const described = (decided: Decided): string => {
  switch (decided.type) {
    case 'batch':
      return `batch ${hexOf(decided.batch)} of epoch ${decided.epoch}`
    case 'reign':
      return `reign of ${decided.leader} in epoch ${decided.epoch}`
    case 'members':
      return `members ${decided.membership.members.map(({ id, role }) => `${id} ${role}`).join(', ')} of epoch ${decided.epoch}`
    case 'noop':
      return `noop of epoch ${decided.epoch}`
  }
}

/** A few engines, the messages between them, and what everybody was promised. Time stands still but for `tick`. */
export class Cell implements NodeWorld {
  readonly factory
  readonly founders: Membership
  readonly limits: EngineLimits
  readonly leases: boolean
  readonly findings = new Findings()
  readonly draw: Draw
  readonly nodes: EngineNode[] = []
  /** Messages that have left and not arrived. */
  flying: Flying[] = []
  /** What does not pass. */
  cut: (from: NodeId, to: NodeId) => boolean = () => false
  readonly #asked = new Map<RequestId, Asked>()
  readonly #log = new Map<Position, string>()
  readonly #batchAt = new Map<string, Position>()
  readonly #proposed = new Set<string>()
  readonly #refused = new Set<string>()
  readonly #leaders = new Map<bigint, NodeId>()
  readonly #reigns = new Map<bigint, NodeId>()
  #offers: { readonly from: EngineNode; readonly to: NodeId; readonly id: SnapshotId; readonly header: Uint8Array }[] =
    []
  readonly #open = new Map<string, { readonly id: SnapshotId; readonly header: Uint8Array }>()
  readonly #seed: number
  #lives = 0
  #requests = 0
  #acknowledged = 0
  now = 1000

  constructor(
    { factory }: EngineSubject,
    seed: number,
    options: { readonly nodes?: number; readonly limits?: Partial<EngineLimits>; readonly leases?: boolean } = {},
  ) {
    this.factory = factory
    this.#seed = seed
    this.draw = drawOf(seed)
    this.limits = { ...roomy, ...options.limits }
    this.leases = options.leases ?? false
    const members = Array.from({ length: options.nodes ?? 3 }, (_, at) => this.member(at + 1))
    this.founders = { members }
    for (const { id } of members) this.nodes.push(this.#born(id))
    for (const node of this.nodes) node.turn(this.now, ...this.#links(node))
  }

  member(n: number): Member {
    return { id: nodeId(`n${n}`), name: `n${n}`, addresses: [`/ip4/127.0.0.${n}/tcp/7400`], role: 'voter' }
  }

  #born(id: NodeId, disk?: EngineNode['disk']): EngineNode {
    return new EngineNode(id, this, this.#seed * 1000 + ++this.#lives, disk)
  }

  #links(node: EngineNode) {
    return this.nodes.flatMap((other) => (other === node ? [] : [{ type: 'peer', id: other.id, state: 'up' } as const]))
  }

  /** A node that was no founder. */
  join(n: number): EngineNode {
    const node = this.#born(nodeId(`n${n}`))
    this.nodes.push(node)
    node.turn(this.now, ...this.#links(node))
    for (const other of this.nodes) if (other !== node) other.turn(this.now, { type: 'peer', id: node.id, state: 'up' })
    return node
  }

  /** A disk of its own for `id`, from which an engine may be started again and again, with nobody to talk to. */
  alone(id: NodeId): { readonly disk: JournalModel; apply(ops: readonly JournalOp[]): void; start(): EngineNode } {
    const disk = new JournalModel()
    const mute: NodeWorld = {
      ...this.#shared,
      send: () => {},
      decided: () => {},
      settled: () => {},
      leads: () => {},
      transfer: () => {},
      answered: () => {},
    }
    return {
      disk,
      apply: (ops) => disk.apply(ops),
      start: () => {
        const node = new EngineNode(id, mute, this.#seed * 1000 + ++this.#lives, disk.copy())
        node.turn(this.now)
        return node
      },
    }
  }

  get #shared() {
    const { factory, founders, limits, findings, leases } = this
    return { factory, founders, limits, findings, leases }
  }

  at(id: NodeId): EngineNode | undefined {
    return this.nodes.find((node) => node.id === id)
  }

  /** Starts a node anew on its disk. */
  restart(node: EngineNode): EngineNode {
    const next = this.#born(node.id, node.disk)
    this.nodes[this.nodes.indexOf(node)] = next
    for (const [id, asked] of this.#asked) if (asked.node === node) this.#asked.delete(id)
    for (const other of this.nodes) {
      if (other === next) continue
      other.turn(this.now, { type: 'peer', id: next.id, state: 'down' })
      other.turn(this.now, { type: 'peer', id: next.id, state: 'up' })
    }
    next.turn(this.now, ...this.#links(next))
    return next
  }

  // ---- what the nodes tell --------------------------------------------------------------------------------------------------------

  send(from: NodeId, to: NodeId, message: Uint8Array): void {
    this.flying.push({ from, to, message })
  }

  decided(node: EngineNode, decided: Decided): void {
    const text = described(decided)
    const before = this.#log.get(decided.position)
    if (before !== undefined && before !== text)
      this.findings.add('agreement', `at ${decided.position}: ${before}; and ${node.id} decides ${text}`)
    this.#log.set(decided.position, text)
    if (decided.type === 'batch') this.#decidedBatch(hexOf(decided.batch), decided.position)
    if (decided.type === 'reign') this.#reign(decided.epoch, decided.leader)
  }

  #decidedBatch(batch: string, position: Position): void {
    const before = this.#batchAt.get(batch)
    if (!this.#proposed.has(batch))
      this.findings.add('proposed', `at ${position} stands a batch that nobody proposed: ${batch}`)
    if (before !== undefined && before !== position)
      this.findings.add('proposed', `one batch is decided at ${before} and at ${position}`)
    this.#batchAt.set(batch, position)
    if (this.#refused.has(batch)) this.findings.add('settleRefused', `a refused batch is decided at ${position}`)
  }

  leads(id: NodeId, epoch: bigint): void {
    const before = this.#leaders.get(epoch)
    if (before !== undefined && before !== id)
      this.findings.add('oneLeader', `${before} and ${id} both lead in epoch ${epoch}`)
    this.#leaders.set(epoch, id)
  }

  #reign(epoch: bigint, leader: NodeId): void {
    const before = this.#reigns.get(epoch)
    if (before !== undefined && before !== leader)
      this.findings.add('oneLeader', `${before} and ${leader} lead in epoch ${epoch}`)
    this.#reigns.set(epoch, leader)
  }

  settled(node: EngineNode, id: RequestId, outcome: Outcome): void {
    const asked = this.#asked.get(id)
    if (asked === undefined) return
    if (asked.node !== node || asked.cancelled || (node.outcomes.get(id)?.length ?? 0) > 1)
      this.findings.add(
        'settleOnce',
        `${node.id} settles ${asked.kind} ${id} as ${outcome.type}${asked.cancelled ? ' after its cancel' : ' again'}`,
      )
    if (outcome.type === 'decided' && asked.kind === 'change') {
      if (node.decidedPosition < outcome.position)
        this.findings.add(
          'settleDecided',
          `${node.id} settles a change at ${outcome.position}, which it has not decided`,
        )
    } else if (outcome.type === 'decided') {
      if (this.#batchAt.get(asked.batch) !== outcome.position || node.decidedPosition < outcome.position)
        this.findings.add(
          'settleDecided',
          `${node.id} settles ${id} as decided at ${outcome.position}, where it does not stand yet`,
        )
      this.#acknowledged = Math.max(this.#acknowledged, outcome.position)
    } else if (outcome.type === 'refused' && asked.kind === 'proposal') {
      this.#refused.add(asked.batch)
      if (this.#batchAt.has(asked.batch))
        this.findings.add('settleRefused', `${node.id} refuses ${id}, which is decided`)
    } else if (outcome.type === 'readAt' && outcome.position < asked.floor)
      this.findings.add(
        'reads',
        `${node.id} serves a read at ${outcome.position}; ${asked.floor} was acknowledged before it began`,
      )
  }

  transfer(from: EngineNode, to: NodeId, id: SnapshotId, header: Uint8Array): void {
    this.#offers.push({ from, to, id, header })
  }

  answered(by: EngineNode, from: NodeId, accept: boolean): void {
    const key = `${from} ${by.id}`
    const offer = this.#open.get(key)
    this.#open.delete(key)
    if (offer === undefined) return
    this.#afterTurn.push(() => {
      if (accept) by.receiveSnapshot(this.now, from, new Uint8Array(offer.header))
      this.at(from)?.turn(this.now, { type: 'snapshotSent', to: by.id, id: offer.id, ok: accept })
    })
  }

  /** What follows from a turn, outside of it. */
  readonly #afterTurn: (() => void)[] = []

  // ---- what happens to them -------------------------------------------------------------------------------------------------------

  request(node: EngineNode, kind: Asked['kind'], batch = ''): RequestId {
    const id = ++this.#requests as RequestId
    this.#asked.set(id, { node, kind, batch, floor: this.#acknowledged, cancelled: false })
    return id
  }

  propose(node: EngineNode, text = `batch ${this.#requests + 1}`): RequestId {
    const batch = new TextEncoder().encode(text)
    this.#proposed.add(hexOf(batch))
    const id = this.request(node, 'proposal', hexOf(batch))
    node.propose(this.now, id, batch)
    return id
  }

  read(node: EngineNode, level: 'linearizable' | 'lease' = 'linearizable'): RequestId {
    const id = this.request(node, 'read')
    node.read(this.now, id, level)
    return id
  }

  cancel(node: EngineNode, id: RequestId): void {
    const asked = this.#asked.get(id)
    if (asked !== undefined && node.outcomes.get(id) === undefined) asked.cancelled = true
    node.turn(this.now, { type: 'cancel', id })
  }

  /** A message arrives, unless the way is cut or nobody is there. */
  deliver({ from, to, message }: Flying): void {
    if (this.cut(from, to)) return
    this.at(to)?.turn(this.now, { type: 'receive', from, message: new Uint8Array(message) })
  }

  /** Transfers that were begun are offered, taken and reported, in one go. */
  carrySnapshots(): void {
    for (const { from, to, id, header } of this.#offers.splice(0)) {
      const target = this.at(to)
      if (target === undefined || !target.alive || this.cut(from.id, to)) {
        from.turn(this.now, { type: 'snapshotSent', to, id, ok: false })
        continue
      }
      this.#open.set(`${from.id} ${to}`, { id, header })
      target.turn(this.now, { type: 'snapshotOffered', from: from.id, header: new Uint8Array(header) })
    }
    for (const follow of this.#afterTurn.splice(0)) follow()
  }

  tick(nodes: readonly EngineNode[] = this.nodes): void {
    this.now += timing.tickMillis
    for (const node of nodes) node.turn(this.now, { type: 'tick' })
  }

  /** Delivers and syncs until nothing moves; time stands still. @throws Error if the engines talk without end. */
  settle(): void {
    for (let steps = 0; ; steps++) {
      if (steps > 20_000) throw new Error('the engines talk without end, though no time passes')
      for (const node of this.nodes) node.sync(this.now)
      this.carrySnapshots()
      const next = this.flying.shift()
      if (next !== undefined) this.deliver(next)
      else if (
        this.nodes.every((node) => node.unsynced === 0 || node.holdSyncs || !node.alive) &&
        this.#offers.length === 0
      )
        return
    }
  }

  /** Lets time pass, all messages arriving at once, until `done`. @throws Error that says what did not happen. */
  until(what: string, done: () => boolean): void {
    for (let rounds = 0; !done(); rounds++) {
      if (rounds > mostRounds) throw new Error(`${what}: not within ${mostRounds} ticks (${this.beliefs})`)
      this.tick()
      this.settle()
    }
  }

  /** Lets so many ticks pass, all messages arriving at once. */
  pass(ticks: number): void {
    for (let at = 0; at < ticks; at++) {
      this.tick()
      this.settle()
    }
  }

  /** The leader that a majority of the nodes follows, once there is one and its reign is decided. */
  elect(): EngineNode {
    let leader: EngineNode | undefined
    this.until('a leader', () => {
      leader = this.leader()
      return leader !== undefined
    })
    if (leader === undefined) throw new Error('no leader')
    return leader
  }

  leader(): EngineNode | undefined {
    return this.nodes.find((node) => {
      if (!node.alive) return false
      const { leading, epoch } = node.status
      const following = this.nodes.filter(
        (other) => other.alive && other.status.epoch === epoch && other.status.leader === node.id,
      )
      return leading && following.length * 2 > this.nodes.length && this.#reigns.has(epoch) && node.decidedPosition > 0
    })
  }

  get beliefs(): string {
    return this.nodes
      .map(
        ({ id, alive, status }) =>
          `${id}: ${alive ? `${status.role} of epoch ${status.epoch}, decided ${status.decided}` : 'dead'}`,
      )
      .join('; ')
  }

  /** Outcomes of a request. */
  outcome(node: EngineNode, id: RequestId): Outcome | undefined {
    return node.outcomes.get(id)?.[0]
  }

  /** Requests of present lives that have not settled. */
  get unsettled(): readonly string[] {
    return [...this.#asked]
      .filter(([id, { node, cancelled }]) => !cancelled && node.alive && !node.outcomes.has(id))
      .map(([id, { kind, node }]) => `${kind} ${id} of ${node.id}`)
  }

  get refusals(): number {
    return this.#refused.size
  }
  get acknowledged(): number {
    return this.#acknowledged
  }

  /** @throws Error with everything that was found. */
  assertClean(): void {
    const [first] = this.findings.all
    if (first !== undefined)
      throw new Error([...this.findings.all].map(([name, what]) => `${name}: ${what}`).join('\n'))
  }
}
