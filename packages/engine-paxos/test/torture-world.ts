import {
  type EngineFactory,
  type Membership,
  type MembershipChange,
  type NodeId,
  nodeId,
  type Position,
  type Random,
  type SnapshotId,
  seededRandom,
} from '@conclave/interface'
import { paxos } from '../src/index.ts'
import { check, Invariants } from './invariants.ts'
import { type Cheat, Host, type Packet, type Transfer } from './torture-host.ts'

export interface WorldInit {
  readonly seed: number
  readonly servers: number
  readonly cheat?: Cheat
  /** Members come and go, if every server knows how. */
  readonly changing?: boolean
  /** Lease reads are on. */
  readonly leases?: boolean
  /** Default: the real one. */
  readonly factory?: EngineFactory
}

/** Servers, what is on its way between them, and a seeded hand that does everything that may happen to them. */
export class World {
  readonly hosts: Host[]
  readonly invariants: Invariants
  packets: Packet[] = []
  transfers: Transfer[] = []
  /** Which side of the partition each server is on. */
  #side = new Map<NodeId, number>()
  readonly #random: Random
  /** In every second world servers crash far more often, and are back sooner. */
  readonly #wild: boolean
  #healsAt = Number.POSITIVE_INFINITY
  /** Servers that get no tick until then. */
  #hangs = new Map<NodeId, number>()
  readonly #founders: Membership
  readonly #init: WorldInit
  /** Milliseconds since the beginning. */
  #time = 0
  /** Who may still join. */
  #strangers: NodeId[]
  #named = 0
  #batch = 0
  #staged = 0
  /** Everything that was done, mixed into one number: the same for the same seed. */
  fingerprint = 0

  constructor(init: WorldInit) {
    const { seed, servers } = init
    this.#init = init
    this.#random = seededRandom(seed)
    this.#wild = seed % 2 === 0
    const ids = Array.from({ length: servers }, (_, i) => nodeId(`n${i + 1}`))
    this.#founders = { members: ids.map((id) => ({ id, name: id, addresses: [], role: 'voter' })) }
    this.invariants = new Invariants(this.#founders)
    this.hosts = ids.map((id) => this.#host(id))
    this.#strangers = init.changing ? [1, 2, 3, 4, 5].map((n) => nodeId(`n${servers + n}`)) : []
  }

  /** Clocks begin anywhere, and any two run at the same rate within a tenth. */
  #host(id: NodeId): Host {
    const { seed, cheat = 'none', leases = false, factory = paxos } = this.#init
    const spread = cheat === 'clocks run at very different rates' ? 1.9 : 0.1
    const [start, rate] = [this.#below(1_000), 1 + (this.#random.next() - 0.5) * spread]
    const now = () => start + this.#time * rate
    return new Host({ id, founders: this.#founders, seed, invariants: this.invariants, cheat, leases, factory, now })
  }

  #below(n: number): number {
    return Math.floor(this.#random.next() * n)
  }
  #any<T>(items: readonly T[]): T | undefined {
    return items[this.#below(items.length)]
  }
  host(id: NodeId): Host | undefined {
    return this.hosts.find((host) => host.id === id)
  }
  #linked(a: NodeId, b: NodeId): boolean {
    return this.#side.get(a) === this.#side.get(b)
  }

  /** One thing happens. */
  step(): void {
    const dice = this.#below(1_000)
    const host = this.#any(this.hosts)
    if (host === undefined) return
    this.#time += 10 / (this.hosts.length * 4) // about as fast as ticks come
    if (this.#healsAt < this.#time) this.#side.clear()
    if (dice < 460) this.#deliver()
    else if (!host.up) dice > (this.#wild ? 700 : 900) && host.restart()
    else this.#befall(host, dice)
    this.#collect(host)
    this.fingerprint = (Math.imul(this.fingerprint, 31) + dice + host.status.last * 7 + this.packets.length) | 0
  }

  #befall(host: Host, dice: number): void {
    if (dice < 700) this.#tick(host)
    else if (dice < 800) host.sync(1 + this.#below(3))
    else if (dice < 860) this.#propose()
    else if (dice < 870) (this.#leading() ?? host).read('linearizable')
    else if (dice < 880) this.#readEverywhere()
    else if (dice < 920) this.#moveTransfer()
    else if (dice < 945) this.#capture(host)
    else if (dice < 960) this.#peerEvent(host)
    else if (dice < 979) this.#govern(host)
    else if (dice < 983) host.turn({ type: 'disk', state: this.#any(['ok', 'ok', 'slow', 'full']) ?? 'ok' })
    else if (dice < 985) this.#partition()
    else if (dice < 987) this.#crash(host)
    else if (dice < 994 && this.#wild) this.#crash(host)
    else if (dice < 989) this.tickAll(this.#below(30))
    else this.tickAll(3)
  }

  #leading(): Host | undefined {
    return this.#any(this.hosts.filter(({ up, status }) => up && status.leading))
  }

  /** Also at those who only believe that they lead. */
  #readEverywhere(): void {
    for (const host of this.hosts) if (host.up && host.status.leading) host.read('lease')
  }

  /** Members come and go, and leadership is handed over. */
  #govern(host: Host): void {
    const leader = this.#leading() ?? host
    if (this.#below(3) === 0) leader.turn({ type: 'transfer', to: host.id })
    else if (this.#init.changing && this.#below(3) > 0) leader.reconfigure(this.#change(host))
    this.#collect(leader)
  }

  #change(host: Host): MembershipChange {
    const dice = this.#below(10)
    const name = `m${this.#named++}`
    if (dice < 4) return { type: 'remove', id: host.id }
    if (dice < 5) return { type: 'promote', id: host.id }
    if (dice < 6) return { type: 'update', member: { id: host.id, name, addresses: [] } }
    const id = this.#below(3) > 0 ? (this.#strangers.shift() ?? host.id) : host.id
    if (this.host(id) === undefined) this.hosts.push(this.#host(id))
    return { type: 'add', member: { id, name, addresses: [] }, role: dice < 8 ? 'voter' : 'learner' }
  }

  #propose(): void {
    const leader = this.#below(10) > 0 ? this.#leading() : undefined
    const host = leader ?? this.#any(this.hosts.filter(({ up }) => up))
    host?.propose(`${this.#batch++}:${'x'.repeat(this.#below(this.#below(20) === 0 ? 500 : 150))}`)
  }

  /** Mostly in order; sometimes late, twice or never. */
  #deliver(): void {
    const at = this.#below(4) > 0 ? this.#below(Math.min(6, this.packets.length)) : this.#below(this.packets.length)
    const packet = this.packets[at]
    if (packet === undefined) return
    const fate = this.#below(100)
    if (fate >= 8) this.packets.splice(at, 1)
    if (fate >= 95 || !this.#linked(packet.from, packet.to)) {
      if (fate % 2 === 0) this.host(packet.from)?.up && this.#tell(packet.from, packet.to, 'lost')
      return
    }
    this.#receive(packet)
  }

  #receive({ from, to, bytes }: Packet): void {
    const host = this.host(to)
    if (host?.up !== true) return
    host.turn({ type: 'receive', from, message: bytes.slice() })
    this.#collect(host)
  }

  #tell(at: NodeId, about: NodeId, state: 'up' | 'down' | 'lost'): void {
    const host = this.host(at)
    if (host?.up !== true) return
    host.turn({ type: 'peer', id: about, state })
    this.#collect(host)
  }

  #collect(host: Host): void {
    this.packets.push(...host.out.splice(0))
    while (this.packets.length > 200) this.packets.splice(this.#below(this.packets.length), 1)
    this.transfers.push(...host.asked.splice(0))
    for (const { from, accept } of host.answers.splice(0)) {
      const open = this.transfers.find((t) => t.state === 'offered' && t.from === from && t.to === host.id)
      if (open !== undefined) open.state = accept ? 'accepted' : 'failed'
    }
  }

  #peerEvent(host: Host): void {
    const other = this.#any(this.hosts)
    if (other !== undefined && other !== host)
      this.#tell(host.id, other.id, this.#any(['up', 'down', 'lost'] as const) ?? 'up')
  }

  #partition(): void {
    const leader = this.#below(3) === 0 ? this.#leading() : undefined
    this.#healsAt = this.#time + this.#below(1_500)
    for (const { id } of this.hosts) this.#side.set(id, leader === undefined && this.#below(3) === 0 ? 1 : 0)
    if (leader === undefined) return
    // The leader alone is cut off, and the others are told so; it may hang meanwhile, with all that it believes.
    this.#side.set(leader.id, 1)
    if (this.#below(2) === 0) this.#hangs.set(leader.id, this.#time + 10 * this.#below(100))
    for (const { id } of this.hosts) if (id !== leader.id && this.#below(4) > 0) this.#tell(id, leader.id, 'down')
  }

  #crash(host: Host): void {
    if (this.hosts.filter(({ up }) => up).length <= Math.ceil(this.hosts.length / 2) - 1) return
    if (this.#below(2) === 0) host.sync(this.#below(host.unsynced.length + 1)) // what the crash leaves behind
    this.#collect(host)
    host.crash()
    this.transfers = this.transfers.filter(({ from }) => from !== host.id)
    for (const transfer of this.transfers) if (transfer.to === host.id) transfer.state = 'failed'
    if (this.#below(2) === 0) for (const { id } of this.hosts) if (id !== host.id) this.#tell(id, host.id, 'down')
  }

  /** A capture takes time: what is staged now is told later. */
  #capture(host: Host): void {
    const told = host.captures.shift()
    if (told !== undefined) host.turn({ type: 'captured', snapshot: told })
    if (!host.wantsCapture && this.#below(3) > 0) return
    if (host.applied === 0 || host.unsynced.length > 0) return // only what is durable here may be captured
    host.wantsCapture = false
    host.captures.push({ id: `s${this.#staged++}` as SnapshotId, position: host.applied as Position })
  }

  #moveTransfer(): void {
    const transfer = this.#any(this.transfers)
    if (transfer === undefined) return
    if (this.#below(10) === 0 && transfer.state !== 'received') transfer.state = 'failed'
    this.#advance(transfer)
  }

  /** Offer, answer, body, end: one step of it. */
  #advance(transfer: Transfer): void {
    const { from, to, header } = transfer
    const sender = this.host(from)
    const receiver = this.host(to)
    if (transfer.state === 'failed' || transfer.state === 'received') {
      this.transfers.splice(this.transfers.indexOf(transfer), 1)
      sender?.turn({ type: 'snapshotSent', to, id: transfer.id, ok: transfer.state === 'received' })
      if (sender !== undefined) this.#collect(sender)
    } else if (receiver?.up !== true || !this.#linked(from, to)) transfer.state = 'failed'
    else if (transfer.state === 'asked') {
      transfer.state = 'offered'
      receiver.turn({ type: 'snapshotOffered', from, header })
    } else if (transfer.state === 'accepted') {
      transfer.state = 'received'
      receiver.turn({ type: 'snapshotReceived', from, id: `s${this.#staged++}` as SnapshotId, header })
    }
    if (receiver?.up === true) this.#collect(receiver)
  }

  #tick(host: Host): void {
    if ((this.#hangs.get(host.id) ?? 0) <= this.#time) host.turn({ type: 'tick' })
  }

  tickAll(times: number): void {
    for (let i = 0; i < times; i++) {
      this.#time += 10
      for (const host of this.hosts) {
        if (!host.up) continue
        this.#tick(host)
        this.#collect(host)
      }
    }
  }

  /** From here on nothing goes wrong any more. */
  heal(): void {
    this.#side.clear()
    this.#hangs.clear()
    for (const host of this.hosts) {
      if (!host.up) host.restart()
      host.turn({ type: 'disk', state: 'ok' })
      for (const other of this.hosts) if (other !== host) this.#tell(host.id, other.id, 'up')
    }
  }

  /** One tick of a healthy cluster. @returns messages that it took. */
  calm(): number {
    this.tickAll(1)
    let messages = 0
    for (let busy = true; busy; ) {
      busy = false
      for (const host of this.hosts) {
        busy ||= host.unsynced.length > 0
        host.sync()
        if (host.wantsCapture || host.captures.length > 0) this.#capture(host)
        this.#collect(host)
      }
      for (const transfer of [...this.transfers]) this.#advance(transfer)
      for (const packet of this.packets.splice(0)) {
        busy = true
        messages++
        check(messages < 3_000, 'the servers talk without end')
        this.#receive(packet)
      }
    }
    return messages
  }

  /** Whether one leads, and all members have decided the same, and agree who they are. */
  get agreed(): boolean {
    const { decided, membership } = this.invariants
    const members = this.hosts.filter(({ isMember }) => isMember)
    return (
      this.hosts.filter(({ status }) => status.leading).length === 1 &&
      membership.members.every(({ promote }) => promote === undefined) &&
      members.every(({ status, applied }) => applied === decided && status.last === applied)
    )
  }

  /** Proposes at the leader. */
  proposeCalmly(): string {
    const batch = `calm ${this.#batch++}`
    this.hosts.find(({ status }) => status.leading)?.propose(batch)
    return batch
  }
}
