import type { NodeId, SnapshotId } from '@conclave/interface'
import type { Dice } from './dice.ts'
import type { Host, Packet, Transfer } from './host.ts'
import { OldPackets } from './old-packets.ts'

const mostPackets = 200

/** What is on its way between the hosts, messages and snapshots, and who can reach whom. */
export class Traffic {
  packets: Packet[] = []
  transfers: Transfer[] = []
  /** Which side of the partition each node is on. */
  readonly #side = new Map<NodeId, number>()
  readonly #hosts: readonly Host[]
  readonly #dice: Dice
  readonly #old: OldPackets | undefined
  #received = 0

  /** @param old whether packets of long ago return. */
  constructor(hosts: readonly Host[], dice: Dice, old = false) {
    this.#hosts = hosts
    this.#dice = dice
    if (old) this.#old = new OldPackets(dice)
  }

  #host(id: NodeId): Host | undefined {
    return this.#hosts.find((host) => host.id === id)
  }
  #linked(a: NodeId, b: NodeId): boolean {
    return this.#side.get(a) === this.#side.get(b)
  }

  /** Cuts the links between those for which `side` differs. */
  part(side: (host: Host) => number): void {
    for (const host of this.#hosts) this.#side.set(host.id, side(host))
  }
  mend(): void {
    this.#side.clear()
  }

  /** Takes over what a host has said and asked for. */
  collect(host: Host): void {
    for (const packet of host.out.splice(0)) {
      this.packets.push(packet)
      this.#old?.keep(packet)
    }
    while (this.packets.length > mostPackets) this.packets.splice(this.#dice.below(this.packets.length), 1)
    this.transfers.push(...host.asked.splice(0))
    for (const { from, accept } of host.answers.splice(0)) {
      const open = this.transfers.find((t) => t.state === 'offered' && t.from === from && t.to === host.id)
      if (open !== undefined) open.state = accept ? 'accepted' : 'failed'
    }
  }

  /** Something arrives, or is lost: mostly in order; sometimes late, twice or never. */
  deliver(): void {
    const { packets } = this
    const at =
      this.#dice.below(4) > 0 ? this.#dice.below(Math.min(6, packets.length)) : this.#dice.below(packets.length)
    const packet = packets[at]
    if (packet === undefined) return
    const fate = this.#dice.below(100)
    if (fate >= 8) packets.splice(at, 1)
    if (fate >= 95 || !this.#linked(packet.from, packet.to)) {
      if (fate % 2 === 0) this.tell(packet.from, packet.to, 'lost')
      return
    }
    this.receive(packet)
  }

  receive({ from, to, bytes }: Packet): void {
    const host = this.#host(to)
    if (host?.up !== true) return
    host.turn({ type: 'receive', from, message: bytes.slice() })
    this.collect(host)
  }

  /** Tells a host about its link to another. */
  tell(at: NodeId, about: NodeId, state: 'up' | 'down' | 'lost'): void {
    const host = this.#host(at)
    if (host?.up !== true) return
    host.turn({ type: 'peer', id: about, state })
    this.collect(host)
    this.#return(about, at)
  }

  /** A link was made or broke: now and then what was sent over it long ago arrives next, a second time. */
  #return(from: NodeId, to: NodeId): void {
    if (this.#old === undefined) return
    for (let more = this.#dice.below(4); more > 0; more--) {
      const packet = this.#old.any(from, to)
      if (packet !== undefined) this.packets.splice(this.#dice.below(12), 0, packet)
    }
  }

  /** Everybody but `about` is told. */
  tellOthers(about: NodeId, state: 'up' | 'down' | 'lost', whether = (): boolean => true): void {
    for (const { id } of this.#hosts) if (id !== about && whether()) this.tell(id, about, state)
  }

  /** A host has crashed: what it sent is on its way, and its transfers are over. */
  crashed({ id }: Host): void {
    this.transfers = this.transfers.filter(({ from }) => from !== id)
    for (const transfer of this.transfers) if (transfer.to === id) transfer.state = 'failed'
  }

  moveTransfer(): void {
    const transfer = this.#dice.any(this.transfers)
    if (transfer === undefined) return
    if (this.#dice.below(10) === 0 && transfer.state !== 'received') transfer.state = 'failed'
    this.advance(transfer)
  }

  /** Offer, answer, body, end: one step of it. */
  advance(transfer: Transfer): void {
    const { from, to, header } = transfer
    const sender = this.#host(from)
    const receiver = this.#host(to)
    if (transfer.state === 'failed' || transfer.state === 'received') {
      this.transfers.splice(this.transfers.indexOf(transfer), 1)
      sender?.turn({ type: 'snapshotSent', to, id: transfer.id, ok: transfer.state === 'received' })
      if (sender !== undefined) this.collect(sender)
    } else if (receiver?.up !== true || !this.#linked(from, to)) transfer.state = 'failed'
    else if (transfer.state === 'asked') {
      transfer.state = 'offered'
      receiver.turn({ type: 'snapshotOffered', from, header })
    } else if (transfer.state === 'accepted') {
      transfer.state = 'received'
      receiver.turn({ type: 'snapshotReceived', from, id: `r${this.#received++}` as SnapshotId, header })
    }
    if (receiver?.up === true) this.collect(receiver)
  }
}
