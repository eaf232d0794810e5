import type { NodeId, Random } from '@conclave/interface'
import { noFaults } from '@conclave/transport-memory'
import type { VirtualClock } from '../virtual-clock.ts'
import type { Checks } from './checks.ts'
import type { Cluster, SimulatedNode } from './cluster.ts'

/** What goes wrong, in random order from a seed, until `end`. */
export class Chaos {
  readonly #cluster: Cluster
  readonly #clock: VirtualClock
  readonly #random: Random
  readonly #checks: Checks
  #delay = noFaults.delay
  #ended = false
  #besieged = false

  constructor(cluster: Cluster, clock: VirtualClock, random: Random, checks: Checks) {
    this.#cluster = cluster
    this.#clock = clock
    this.#random = random
    this.#checks = checks
  }

  begin(): void {
    this.#delay = { least: 0.1, most: 0.5 + this.#random.next() * 4 }
    this.#cluster.network.setFaults({
      drop: this.#random.next() < 0.6 ? this.#random.next() * 0.08 : 0,
      duplicate: this.#random.next() < 0.6 ? this.#random.next() * 0.1 : 0,
      reorder: this.#random.next() < 0.6 ? this.#random.next() * 0.15 : 0,
      delay: this.#delay,
    })
    this.#checks.elected = (leader) => {
      if (this.#ended || (this.#random.next() > 0.2 && !this.#besieged)) return
      this.#besieged = false
      this.#coup(leader)
    }
    const opening = this.#random.next()
    if (opening < 0.2) this.#siege()
    else if (opening < 0.7) this.#clock.after(40, () => this.#slowRival())
    this.#next()
  }

  /**
   * Whoever was just elected is cut off, and who elected it restarts at once: a forgotten vote would now elect a second leader in the same epoch.
   * Not within the turn in which the leader is told of.
   */
  #coup(leader: NodeId): void {
    const { nodes, network } = this.#cluster
    this.#clock.after(0, () => {
      if (this.#ended) return
      const others = nodes.filter(({ id }) => id !== leader)
      this.#say(`coup against ${leader}`, () => network.partition([[leader], others.map(({ id }) => id)]))
      // Who still stands for election is the rival.
      for (const node of others)
        if (node.serving?.status().engine?.role !== 'candidate')
          this.#crash(node, this.#random.next() < 0.5 ? 'power' : 'kill', 4)
    })
  }

  /** One node is left out while the others elect, so that it is the rival when the coup comes. */
  #siege(): void {
    const { nodes, network } = this.#cluster
    const leader = nodes.find(({ id, serving }) => serving?.leader?.id === id)
    const out = this.#pick(nodes.filter((node) => node !== leader))
    if (out === undefined) return
    this.#besieged = true
    this.#say(`siege of ${out.id}`, () =>
      network.partition([[out.id], nodes.filter((node) => node !== out).map(({ id }) => id)]),
    )
    if (leader !== undefined) this.#crash(leader, 'kill', 4)
  }

  /** All elect, and one of them with a slow disk: its requests for votes leave when another has won the same epoch and is cut off by the coup. */
  #rivalry(): void {
    const { nodes } = this.#cluster
    const slow = this.#pick(nodes)
    if (slow === undefined) return
    for (const node of nodes) if (node !== slow) this.#crash(node, 'kill', 4)
    this.#slowRival(slow)
  }

  #slowRival(slow = this.#pick(this.#cluster.nodes)): void {
    if (slow === undefined) return
    this.#besieged = true
    const millis = 150 + this.#random.next() * 150
    this.#hold(slow, millis)
    // Slow messages too, so that campaigns overlap.
    const { network } = this.#cluster
    network.setFaults({ delay: { least: 3, most: 12 } })
    this.#clock.after(millis, () => {
      if (!this.#ended) network.setFaults({ delay: this.#delay })
    })
  }

  /** The network is whole, every disk is well, every node runs. */
  end(): void {
    this.#ended = true
    const { network, nodes } = this.#cluster
    network.heal()
    network.setFaults(noFaults)
    for (const node of nodes) {
      network.resume(node.id)
      node.disk.release()
      node.disk.faults.capacity = Number.POSITIVE_INFINITY
      if (!node.alive && !node.disk.faults.failSync) node.start()
    }
    this.#checks.note('healed')
  }

  #next(): void {
    this.#clock.after(5 + this.#random.next() * 90, () => {
      if (this.#ended) return
      this.#strike()
      this.#next()
    })
  }

  #pick<T>(of: readonly T[]): T | undefined {
    return of[Math.floor(this.#random.next() * of.length)]
  }

  #strike(): void {
    const { nodes, network } = this.#cluster
    const [one, other] = [this.#pick(nodes), this.#pick(nodes)]
    if (one === undefined || other === undefined) return
    const dice = this.#random.next()
    if (dice < 0.25) this.#crash(one)
    else if (dice < 0.29) for (const node of nodes) this.#crash(node, 'power')
    else if (dice < 0.33) this.#failDisk(one)
    else if (dice < 0.45) this.#partition()
    else if (dice < 0.55 && one !== other) this.#say(`cut ${one.id} → ${other.id}`, () => network.cut(one.id, other.id))
    else if (dice < 0.65 && one !== other)
      this.#say(`reset ${one.id} ↔ ${other.id}`, () => network.reset(one.id, other.id))
    else if (dice < 0.75) this.#hold(one)
    else if (dice < 0.82) this.#pause(one)
    else if (dice < 0.86) this.#siege()
    else if (dice < 0.92) this.#rivalry()
    else if (dice < 0.95) this.#fill(one)
    else this.#say('heal', () => network.heal())
  }

  #say(what: string, act: () => void): void {
    this.#checks.note(what)
    act()
  }

  #crash(node: SimulatedNode, kind: 'power' | 'kill' = this.#random.next() < 0.7 ? 'power' : 'kill', most = 250): void {
    if (!node.alive || node.disk.faults.failSync) return
    node.crash(kind)
    this.#clock.after(this.#random.next() * most, () => {
      if (!node.alive) node.start()
    })
  }

  /** The next sync fails: the node must stop by itself, and comes back on what the disk then holds. */
  #failDisk(node: SimulatedNode): void {
    if (node.serving === undefined) return
    this.#checks.note(`the disk of ${node.id} fails`)
    node.disk.faults.failSync = true
    node.diskFails = true
    this.#clock.after(150, () => {
      if (node.disk.faults.failSync && node.alive) node.disk.faults.failSync = node.serving?.status().phase === 'failed'
    })
  }

  #partition(): void {
    const { nodes, network } = this.#cluster
    const left = nodes.filter(() => this.#random.next() < 0.5).map(({ id }) => id)
    const right = nodes.map(({ id }) => id).filter((id) => !left.includes(id))
    this.#say(`partition ${left} | ${right}`, () => network.partition([left, right]))
  }

  /** The disk takes its time. */
  #hold(node: SimulatedNode, millis = this.#random.next() * 200): void {
    const { disk } = node
    this.#checks.note(`the disk of ${node.id} stalls`)
    disk.faults.hold = true
    this.#clock.after(millis, () => disk.release())
  }

  /** No room for anything new: writes wait, none is lost, none is acknowledged. */
  #fill(node: SimulatedNode): void {
    const { disk } = node
    this.#checks.note(`the disk of ${node.id} is full`)
    disk.faults.capacity = 1
    this.#clock.after(50 + this.#random.next() * 400, () => {
      disk.faults.capacity = Number.POSITIVE_INFINITY
    })
  }

  #pause(node: SimulatedNode): void {
    const { network } = this.#cluster
    this.#say(`${node.id} hears nothing`, () => network.pause(node.id))
    this.#clock.after(this.#random.next() * 200, () => network.resume(node.id))
  }
}
