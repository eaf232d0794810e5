import {
  type ApplyContext,
  ByteWriter,
  type Epoch,
  type Feed,
  type LogTime,
  type Membership,
  type MembershipChange,
  type Monotonic,
  type NodeId,
  nodeId,
  type Position,
  type Refusal,
  replyStatus,
  sessionCommands,
  sessionsMachine,
  visitBlock,
} from '@conclave/interface'
import { kvMachine } from '@conclave/machine-kv'
import type { Dial } from '../src/dialer.ts'
import {
  type Channel,
  channelPair,
  decodeClientMessage,
  encodeServerMessage,
  type LeaderNews,
  membershipFeature,
  type Read,
  type ServerMessage,
  servicesFeature,
} from '../src/protocol.ts'
import type { ClientClock } from '../src/time.ts'

/** Time that passes only when a test says so. */
export class ManualClock implements ClientClock {
  #now = 0
  #timers: { at: number; run: () => void }[] = []

  now(): Monotonic {
    return this.#now as Monotonic
  }
  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }
  afterHolding(ms: number, run: () => void): () => void {
    return this.after(ms, run)
  }
  defer(run: () => void): void {
    setImmediate(run)
  }
  get timers(): number {
    return this.#timers.length
  }
  /** Lets a long time pass in one step: each timer that is due fires once. */
  async jump(ms: number): Promise<void> {
    this.#now += ms
    await this.pass(10)
  }
  /** Lets `ms` milliseconds pass, with every message delivered in between. */
  async pass(ms: number): Promise<void> {
    for (const end = this.#now + ms; this.#now < end; ) {
      this.#now = Math.min(end, this.#now + 10)
      const due = this.#timers.filter(({ at }) => at <= this.#now).sort((a, b) => a.at - b.at)
      for (const timer of due) {
        if (!this.#timers.includes(timer)) continue
        this.#timers = this.#timers.filter((other) => other !== timer)
        timer.run()
      }
      await quiet()
    }
  }
}

/** Until what is under way has been delivered and answered: every hop takes one turn of the event loop. */
export const quiet = async (): Promise<void> => {
  for (let turn = 0; turn < 12; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const context: ApplyContext = { position: 1 as Position, time: 0 as LogTime, epoch: 1n as Epoch }

/** What becomes of the next blocks that a node gets. */
export type Fate =
  | 'apply'
  | 'apply, reply lost'
  | 'apply, say unknown'
  | 'say unknown'
  | 'swallow'
  | 'double'
  | { refuse: Refusal }

interface Served {
  readonly channel: Channel
  readonly feeds: Map<number, Feed>
}

/** A call to the service of a node. */
export interface AskedCall {
  readonly request: Uint8Array
  withdrawn: boolean
  reply(bytes: Uint8Array): void
  refuse(reason: Refusal): void
}

const withChange = ({ members, removed = [] }: Membership, change: MembershipChange): Membership | undefined => {
  const id = 'id' in change ? change.id : change.member.id
  const known = members.some((member) => member.id === id)
  const others = members.filter((member) => member.id !== id)
  switch (change.type) {
    case 'add': {
      if (known || removed.includes(id)) return undefined
      const promote = change.role === 'voter' ? { promote: true as const } : {}
      return { members: [...members, { ...change.member, role: 'learner', ...promote }], removed }
    }
    case 'remove':
      return known ? { members: others, removed: [...removed, id] } : undefined
    case 'promote':
      if (!known) return undefined
      return { members: members.map((member) => (member.id === id ? { ...member, role: 'voter' } : member)), removed }
    case 'update':
      if (!known) return undefined
      return {
        members: members.map((member) => (member.id === id ? { ...member, ...change.member } : member)),
        removed,
      }
  }
}

export class FakeNode {
  readonly id: NodeId
  readonly name: string
  readonly #cluster: FakeCluster
  readonly served = new Set<Served>()
  /** `hung`: takes everything, answers nothing. `dead`: refuses connections. */
  state: 'up' | 'hung' | 'dead' = 'up'
  fates: Fate[] = []
  readFates: Refusal[] = []
  changeFates: Fate[] = []
  changes = 0
  transfers = 0
  ignoredTransfers = 0
  /** As an older version, which knows no change of members. */
  old = false
  blocks = 0
  reads = 0
  /** Its service leaves calls in `asked`; otherwise it has none. */
  serves = false
  readonly asked: AskedCall[] = []
  readonly #waiting = new Map<number, AskedCall>()

  constructor(cluster: FakeCluster, name: string) {
    this.#cluster = cluster
    this.name = name
    this.id = nodeId(`12D3KooW${name.repeat(24).slice(0, 24)}`)
  }

  get endpoint(): string {
    return `/ip4/127.0.0.1/tcp/1/p2p/${this.id}`
  }

  open(): Channel {
    const [client, server] = channelPair(nodeId('client'), this.id)
    const served = { channel: server, feeds: new Map() }
    this.served.add(served)
    server.onMessage((bytes) => this.#receive(served, bytes))
    server.onClose(() => this.served.delete(served))
    return client
  }

  /** Dies: connections break, new ones are refused. */
  die(): void {
    this.state = 'dead'
    this.cut()
  }
  cut(): void {
    for (const { channel } of [...this.served]) channel.close()
  }

  send(served: Served, message: ServerMessage): void {
    if (this.state === 'up') served.channel.send(encodeServerMessage(message))
  }

  #welcome(served: Served, features: number): void {
    this.send(served, {
      type: 'welcome',
      version: 1,
      node: this.id,
      cluster: 'test',
      leader: this.#cluster.news,
      members: this.#cluster.nodes.map(({ id, name }) => ({ id, name, addresses: ['/ip4/127.0.0.1/tcp/1'] })),
      ...(this.old ? {} : { features: features & (membershipFeature | servicesFeature) }),
    })
  }

  /** As when the members change. */
  welcomeAgain(): void {
    for (const served of this.served) this.#welcome(served, membershipFeature | servicesFeature)
  }

  tellLeader(): void {
    for (const served of this.served) this.send(served, { type: 'leader', ...this.#cluster.news })
  }
  pump(): void {
    for (const served of this.served) {
      for (const [id, feed] of served.feeds) {
        for (let events = feed.poll(1000); events !== undefined; events = feed.poll(1000)) {
          this.send(served, { type: 'watchEvents', id, events })
        }
      }
    }
  }

  #receive(served: Served, bytes: Uint8Array): void {
    const message = decodeClientMessage(bytes)
    if (this.state !== 'up') return
    switch (message.type) {
      case 'hello':
        return this.#welcome(served, message.features)
      case 'ping':
        return this.send(served, { type: 'pong' })
      case 'status': {
        const leading = this.#cluster.leader === this
        return this.send(served, { type: 'status', id: message.id, json: JSON.stringify({ name: this.name, leading }) })
      }
      case 'watch': {
        const feed = this.#cluster.machine.watch?.(message.request)
        if (feed === undefined) return this.send(served, { type: 'watchEnded', id: message.id, reason: 'unsupported' })
        served.feeds.set(message.id, feed)
        return this.pump()
      }
      case 'unwatch':
        served.feeds.delete(message.id)
        return
      case 'reads':
        return this.#read(served, message.level === 'local', message.reads)
      case 'submit':
        return this.#submit(served, message.blockId, message.block)
      case 'reconfigure':
        return this.#reconfigure(served, message.id, message.change)
      case 'transfer':
        return this.#transfer(served, message.id, message.to)
      case 'members': {
        const { type, id } = message
        if (message.level !== 'local' && this.#cluster.leader !== this)
          return this.send(served, { type, id, refused: 'not-leader' })
        return this.send(served, {
          type,
          id,
          epoch: this.#cluster.epoch as Epoch,
          membership: this.#cluster.membership,
        })
      }
      case 'ask':
        return this.#ask(served, message.id, message.request)
      case 'withdraw': {
        const call = this.#waiting.get(message.id)
        if (call !== undefined) call.withdrawn = true
        return
      }
    }
  }

  #ask(served: Served, id: number, request: Uint8Array): void {
    const refuse = (refused: Refusal): void => this.send(served, { type: 'answer', id, refused })
    if (!this.serves) return refuse('unsupported')
    const reply = (bytes: Uint8Array): void => this.send(served, { type: 'answer', id, reply: bytes })
    const call = { request, withdrawn: false, reply, refuse }
    this.asked.push(call)
    this.#waiting.set(id, call)
  }

  #reconfigure(served: Served, id: number, change: MembershipChange): void {
    const type = 'changed'
    if (this.#cluster.leader !== this) return this.send(served, { type, id, outcome: 'not-leader', reason: '' })
    this.changes += 1
    const fate = this.changeFates.shift() ?? 'apply'
    if (typeof fate === 'object') return this.send(served, { type, id, outcome: fate.refuse, reason: 'it says so' })
    if (fate !== 'say unknown' && fate !== 'swallow') {
      if (!this.#cluster.change(change))
        return this.send(served, { type, id, outcome: 'invalid', reason: 'it is no change' })
    }
    if (fate === 'apply') return this.send(served, { type, id, outcome: 'done', reason: '' })
    if (fate === 'apply, say unknown' || fate === 'say unknown')
      this.send(served, { type, id, outcome: 'unknown', reason: '' })
  }

  #transfer(served: Served, id: number, to: NodeId): void {
    if (this.#cluster.leader !== this)
      return this.send(served, { type: 'changed', id, outcome: 'not-leader', reason: '' })
    this.transfers += 1
    this.send(served, { type: 'changed', id, outcome: 'done', reason: '' })
    if (this.ignoredTransfers-- <= 0) this.#cluster.elect(this.#cluster.nodes.find((node) => node.id === to))
  }

  #read(served: Served, local: boolean, reads: readonly Read[]): void {
    this.reads += 1
    const fate = this.readFates.shift()
    const refused = fate ?? (local || this.#cluster.leader === this ? undefined : 'not-leader')
    const replies = reads.map(({ id, query }) =>
      refused === undefined ? { id, reply: this.#cluster.machine.query(query) } : { id, refused },
    )
    this.send(served, { type: 'readReplies', replies })
  }

  #submit(served: Served, blockId: number, block: Uint8Array): void {
    this.blocks += 1
    const fate = this.#cluster.leader === this ? (this.fates.shift() ?? 'apply') : { refuse: 'not-leader' as const }
    if (typeof fate === 'object') return this.send(served, { type: 'outcome', blockId, outcome: fate.refuse })
    const replies = fate === 'swallow' || fate === 'say unknown' ? undefined : this.#cluster.apply(block)
    if (fate === 'double') this.#cluster.apply(block)
    if (fate === 'apply, say unknown' || fate === 'say unknown') {
      this.send(served, { type: 'outcome', blockId, outcome: 'unknown' })
    } else if (replies !== undefined && fate !== 'apply, reply lost')
      this.send(served, { type: 'replies', blockId, replies })
    this.#cluster.pump()
  }
}

/** Three nodes that share one state, as if replication took no time: what a client sees of a cluster, with every mishap at hand. */
export class FakeCluster {
  readonly nodes: FakeNode[]
  machine = kvMachine()
  readonly sessions = new Map<bigint, { ackedBelow: number; replies: Map<number, Uint8Array> }>()
  leader: FakeNode | undefined
  epoch = 1n
  membership: Membership
  /** Commands in each block that was applied, without those of the session table. */
  readonly blockSizes: number[] = []

  constructor(names: readonly string[] = ['a', 'b', 'c']) {
    this.nodes = names.map((name) => new FakeNode(this, name))
    this.leader = this.nodes[0]
    const address = '/ip4/127.0.0.1/tcp/1'
    this.membership = {
      members: this.nodes.map(({ id, name }) => ({ id, name, addresses: [address], role: 'voter' as const })),
    }
  }

  node(index: number): FakeNode {
    return this.nodes[index] as FakeNode
  }

  readonly dial: Dial = (id) => {
    const node = this.nodes.find((other) => other.id === id)
    if (node === undefined || node.state === 'dead') return Promise.reject(new Error('connection refused'))
    return Promise.resolve(node.open())
  }

  get news(): LeaderNews {
    const news = { epoch: this.epoch as Epoch, addresses: ['/ip4/127.0.0.1/tcp/1'] }
    return this.leader === undefined ? news : { ...news, id: this.leader.id }
  }

  elect(leader: FakeNode | undefined): void {
    this.leader = leader
    this.epoch += 1n
    for (const node of this.nodes) node.tellLeader()
  }

  /** False if it is none, as an engine judges: an id is used once. */
  change(change: MembershipChange): boolean {
    const next = withChange(this.membership, change)
    if (next === undefined) return false
    this.membership = next
    return true
  }

  pump(): void {
    for (const node of this.nodes) node.pump()
  }

  /** As the replica does: each serial once, its first reply kept until it is acknowledged. */
  apply(block: Uint8Array): Uint8Array {
    const writer = new ByteWriter()
    let commands = 0
    const told: { serial: number; status: number; reply: Uint8Array }[] = []
    const { session: id, ackedBelow } = {
      session: new DataView(block.buffer, block.byteOffset).getBigUint64(0, true),
      ackedBelow: Number(new DataView(block.buffer, block.byteOffset).getBigUint64(8, true)),
    }
    visitBlock(block, (serial, machine, bytes) => {
      if (machine !== sessionsMachine) commands += 1
      told.push({ serial, ...this.#command(id, ackedBelow, serial, machine, bytes) })
    })
    if (commands > 0) this.blockSizes.push(commands)
    writer.u64(id).u32(told.length)
    for (const { serial, status, reply } of told) writer.u53(serial).u8(status).bytes(reply)
    return writer.take()
  }

  #command(id: bigint, ackedBelow: number, serial: number, machine: number, bytes: Uint8Array) {
    const nothing = new Uint8Array(0)
    if (machine === sessionsMachine) {
      if (bytes[0] === sessionCommands.open && !this.sessions.has(id))
        this.sessions.set(id, { ackedBelow, replies: new Map() })
      if (bytes[0] === sessionCommands.close) this.sessions.delete(id)
      return { status: replyStatus.applied, reply: nothing }
    }
    const session = this.sessions.get(id)
    if (session === undefined) return { status: replyStatus.unknownSession, reply: nothing }
    session.ackedBelow = Math.max(session.ackedBelow, ackedBelow)
    if (serial < session.ackedBelow) return { status: replyStatus.staleSerial, reply: nothing }
    const before = session.replies.get(serial)
    if (before !== undefined) return { status: replyStatus.applied, reply: before }
    const reply = this.machine.apply(bytes, context)
    session.replies.set(serial, reply)
    return { status: replyStatus.applied, reply }
  }
}
