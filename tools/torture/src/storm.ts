import {
  type EngineFactory,
  type Membership,
  type MembershipChange,
  type NodeId,
  nodeId,
  type Position,
  type SnapshotId,
} from '@conclave/interface'
import { foundersOf } from './cluster.ts'
import { Dice } from './dice.ts'
import { type Cheat, Host } from './host.ts'
import { check, Invariants } from './invariants.ts'
import type { Subject } from './subject.ts'
import { Traffic } from './traffic.ts'

export interface StormInit {
  readonly seed: number
  readonly nodes: number
  readonly cheat?: Cheat
  /** Members come and go. */
  readonly changing?: boolean
  /** Lease reads are on. */
  readonly leases?: boolean
  /** When a link was made or broke, what was sent over it long ago may arrive once more. */
  readonly oldPackets?: boolean
  /** The makes of n1, n2 and so on, over and over; absent: all are the subject's. */
  readonly factories?: readonly EngineFactory[]
}

/** Nodes, what is on its way between them, and a seeded hand that does everything that may happen to them. */
export class Storm {
  readonly hosts: Host[]
  readonly invariants: Invariants
  readonly #traffic: Traffic
  readonly #dice: Dice
  /** In every second world nodes crash far more often, and are back sooner. */
  readonly #wild: boolean
  #healsAt = Number.POSITIVE_INFINITY
  /** Nodes that get no tick until then. */
  #hangs = new Map<NodeId, number>()
  readonly #founders: Membership
  readonly #subject: Subject
  readonly #init: StormInit
  /** Milliseconds since the beginning. */
  #time = 0
  /** Who may still join. */
  #strangers: NodeId[]
  #named = 0
  #batch = 0
  #staged = 0
  /** Everything that was done, mixed into one number: the same for the same seed. */
  fingerprint = 0

  constructor(subject: Subject, init: StormInit) {
    const { seed, nodes } = init
    this.#subject = subject
    this.#init = init
    this.#dice = new Dice(seed)
    this.#wild = seed % 2 === 0
    this.#founders = foundersOf(nodes)
    this.invariants = new Invariants(subject, this.#founders)
    this.hosts = this.#founders.members.map(({ id }) => this.#host(id))
    this.#traffic = new Traffic(this.hosts, this.#dice, init.oldPackets)
    this.#strangers = init.changing ? [1, 2, 3, 4, 5].map((n) => nodeId(`n${nodes + n}`)) : []
  }

  /** Clocks begin anywhere, and any two run at the same rate within a tenth. */
  #host(id: NodeId): Host {
    const { seed, cheat = 'none', leases = false, factories = [this.#subject.factory] } = this.#init
    const spread = cheat === 'clocks run at very different rates' ? 1.9 : 0.1
    const [start, rate] = [this.#dice.below(1_000), 1 + (this.#dice.next() - 0.5) * spread]
    const now = () => start + this.#time * rate
    const factory = factories[(Number(id.slice(1)) - 1) % factories.length] ?? this.#subject.factory
    const shared = { subject: this.#subject, founders: this.#founders, invariants: this.invariants }
    return new Host({ ...shared, id, factory, seed, cheat, leases, now })
  }

  /** One thing happens. */
  step(): void {
    const dice = this.#dice.below(1_000)
    const host = this.#dice.any(this.hosts)
    if (host === undefined) return
    this.#time += 10 / (this.hosts.length * 4) // about as fast as ticks come
    if (this.#healsAt < this.#time) this.#traffic.mend()
    if (dice < 460) this.#traffic.deliver()
    else if (!host.up) dice > (this.#wild ? 700 : 900) && host.restart()
    else this.#befall(host, dice)
    this.#traffic.collect(host)
    this.fingerprint =
      (Math.imul(this.fingerprint, 31) + dice + host.status.last * 7 + this.#traffic.packets.length) | 0
  }

  #befall(host: Host, dice: number): void {
    if (dice < 700) this.#tick(host)
    else if (dice < 800) host.sync(1 + this.#dice.below(3))
    else if (dice < 860) this.#propose()
    else if (dice < 870) (this.#leading() ?? host).read('linearizable')
    else if (dice < 880) this.#readEverywhere()
    else if (dice < 920) this.#traffic.moveTransfer()
    else if (dice < 945) this.#capture(host)
    else if (dice < 946 && this.#init.leases)
      this.#cutLeader() // what a lease has to stand
    else if (dice < 960) this.#peerEvent(host)
    else if (dice < 979) this.#govern(host)
    else if (dice < 983) host.turn({ type: 'disk', state: this.#dice.any(['ok', 'ok', 'slow', 'full']) ?? 'ok' })
    else if (dice < 985) this.#partition()
    else if (dice < 987) this.#crash(host)
    else if (dice < 994 && this.#wild) this.#crash(host)
    else if (dice < 989) this.tickAll(this.#dice.below(30))
    else this.tickAll(3)
  }

  #leading(): Host | undefined {
    return this.#dice.any(this.hosts.filter(({ up, status }) => up && status.leading))
  }

  /** Also at those who only believe that they lead. */
  #readEverywhere(): void {
    for (const host of this.hosts) if (host.up && host.status.leading) host.read('lease')
  }

  /** Members come and go, and leadership is handed over. */
  #govern(host: Host): void {
    const leader = this.#leading() ?? host
    if (this.#dice.below(3) === 0) leader.turn({ type: 'transfer', to: host.id })
    else if (this.#init.changing) leader.reconfigure(this.#change(host))
    this.#traffic.collect(leader)
  }

  #change(host: Host): MembershipChange {
    const dice = this.#dice.below(10)
    const name = `m${this.#named++}`
    if (dice < 3) return { type: 'remove', id: host.id }
    if (dice < 4) return { type: 'promote', id: host.id }
    if (dice < 5) return { type: 'update', member: { id: host.id, name, addresses: [] } }
    const id = this.#dice.below(3) > 0 ? (this.#strangers.shift() ?? host.id) : host.id
    if (!this.hosts.some((other) => other.id === id)) this.hosts.push(this.#host(id))
    return { type: 'add', member: { id, name, addresses: [] }, role: dice < 8 ? 'voter' : 'learner' }
  }

  #propose(): void {
    const leader = this.#dice.below(10) > 0 ? this.#leading() : undefined
    const host = leader ?? this.#dice.any(this.hosts.filter(({ up }) => up))
    host?.propose(`${this.#batch++}:${'x'.repeat(this.#dice.below(this.#dice.below(20) === 0 ? 500 : 150))}`)
  }

  #peerEvent(host: Host): void {
    const other = this.#dice.any(this.hosts)
    if (other !== undefined && other !== host)
      this.#traffic.tell(host.id, other.id, this.#dice.any(['up', 'down', 'lost'] as const) ?? 'up')
  }

  #partition(): void {
    if (this.#dice.below(3) === 0) return this.#cutLeader()
    this.#healsAt = this.#time + this.#dice.below(1_500)
    this.#traffic.part(() => (this.#dice.below(3) === 0 ? 1 : 0))
  }

  /** The leader alone is cut off, and the others are told so; it may hang meanwhile, with all that it believes. */
  #cutLeader(): void {
    const leader = this.#leading()
    if (leader === undefined) return
    this.#healsAt = this.#time + this.#dice.below(1_500)
    this.#traffic.part((host) => (host === leader ? 1 : 0))
    if (this.#dice.below(2) === 0) this.#hangs.set(leader.id, this.#time + 10 * this.#dice.below(100))
    this.#traffic.tellOthers(leader.id, 'down', () => this.#dice.below(4) > 0)
  }

  #crash(host: Host): void {
    if (this.hosts.filter(({ up }) => up).length <= Math.ceil(this.hosts.length / 2) - 1) return
    if (this.#dice.below(2) === 0) host.sync(this.#dice.below(host.unsynced + 1)) // what the crash leaves behind
    this.#traffic.collect(host)
    host.crash()
    this.#traffic.crashed(host)
    if (this.#dice.below(2) === 0) this.#traffic.tellOthers(host.id, 'down')
  }

  /** A capture takes time: what is staged now is told later. */
  #capture(host: Host): void {
    const told = host.captures.shift()
    if (told !== undefined) host.turn({ type: 'captured', snapshot: told })
    if (!host.wantsCapture && this.#dice.below(3) > 0) return
    if (host.applied === 0 || host.unsynced > 0) return // only what is durable here may be captured
    host.wantsCapture = false
    host.captures.push({ id: `s${this.#staged++}` as SnapshotId, position: host.applied as Position })
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
        this.#traffic.collect(host)
      }
    }
  }

  /** From here on nothing goes wrong any more. */
  heal(): void {
    this.#traffic.mend()
    this.#hangs.clear()
    for (const host of this.hosts) {
      if (!host.up) host.restart()
      host.turn({ type: 'disk', state: 'ok' })
      for (const other of this.hosts) if (other !== host) this.#traffic.tell(host.id, other.id, 'up')
    }
  }

  /** One tick of a healthy cluster. @returns messages that it took. */
  calm(): number {
    this.tickAll(1)
    let messages = 0
    for (let busy = true; busy; ) {
      busy = false
      for (const host of this.hosts) {
        busy ||= host.unsynced > 0
        host.sync()
        if (host.wantsCapture || host.captures.length > 0) this.#capture(host)
        this.#traffic.collect(host)
      }
      for (const transfer of [...this.#traffic.transfers]) this.#traffic.advance(transfer)
      for (const packet of this.#traffic.packets.splice(0)) {
        busy = true
        messages++
        check(messages < 3_000, 'the nodes talk without end')
        this.#traffic.receive(packet)
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
      membership.outgoing === undefined &&
      membership.members.every(({ promote }) => promote === undefined) &&
      members.every(({ status, applied }) => applied === decided && status.last === applied)
    )
  }

  /** Proposes at the leader. @returns the batch; none if nobody leads. */
  proposeCalmly(): string[] {
    const leader = this.hosts.find(({ status }) => status.leading)
    if (leader === undefined) return []
    const batch = `calm ${this.#batch++}`
    leader.propose(batch)
    return [batch]
  }
}
