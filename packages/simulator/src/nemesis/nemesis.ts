import type { NodeId, Supports } from '@conclave/interface'
import type { Cluster } from '../cluster.ts'
import type { SimulatedNode } from '../node.ts'
import type { Observation } from '../observation.ts'
import type { Operator } from '../operator.ts'
import type { Fault, NodeNumber, Weather } from '../plan.ts'
import { idOf, type Surroundings } from '../surroundings.ts'
import { between, Cuts } from './cuts.ts'

export interface NemesisInit {
  readonly around: Surroundings
  readonly cluster: Cluster
  readonly operator: Operator
  readonly supports: () => Supports
}

type Of<T extends Fault['type']> = Extract<Fault, { type: T }>

/** Makes happen what the plan says goes wrong, and heals it. */
export class Nemesis {
  readonly #init: NemesisInit
  readonly #cuts: Cuts
  /** What undoes the faults that last. */
  readonly #lasting = new Set<() => void>()
  readonly #weather: Weather[]
  #coups: Of<'coup'>[] = []
  #elected = new Set<bigint>()
  #healed = false

  constructor(init: NemesisInit) {
    this.#init = init
    const { network, plan } = init.around
    this.#cuts = new Cuts(network)
    this.#weather = [plan.weather]
    network.setFaults(plan.weather)
  }

  /** Is any link cut right now? */
  get partitioned(): boolean {
    return this.#cuts.any
  }

  begin(): void {
    const { clock, plan } = this.#init.around
    for (const fault of plan.faults)
      clock.after(fault.at, () => {
        if (!this.#healed) this.#strike(fault)
      })
  }

  /** Coups wait for elections. */
  see(seen: Observation): void {
    if (seen.type !== 'drained' || this.#healed) return
    const { leader } = seen.effects
    if (leader?.id === undefined || this.#elected.has(leader.epoch)) return
    this.#elected.add(leader.epoch)
    const coup = this.#coups.shift()
    const elected = leader.id
    // Not within the turn in which the leader is told of.
    if (coup !== undefined) this.#init.around.clock.after(0, () => this.#coup(coup, elected))
  }

  // ---- telling ----------------------------------------------------------------------------------------------------------------------------

  #tell(fault: Fault, what: string, nodes: readonly NodeId[], ends?: true): void {
    this.#init.around.tell({ type: 'fault', fault, what, nodes, ...(ends && { ends }) })
  }

  /** A fault that lasts for a while: `undo` is called then, or at the healing. */
  #lasts(fault: Fault, millis: number, nodes: readonly NodeId[], undo: () => void): void {
    const end = (): void => {
      if (!this.#lasting.delete(end)) return
      undo()
      this.#tell(fault, `${fault.type} ends`, nodes, true)
    }
    this.#lasting.add(end)
    this.#init.around.clock.after(millis, end)
  }

  #target(node: NodeNumber | 'leader'): SimulatedNode | undefined {
    const { cluster } = this.#init
    return node === 'leader' ? cluster.leader : cluster.node(node)
  }

  #present(): SimulatedNode[] {
    return this.#init.cluster.nodes.filter(({ state }) => state !== 'absent')
  }

  // ---- strikes ------------------------------------------------------------------------------------------------------------------------------

  #strike(fault: Fault): void {
    switch (fault.type) {
      case 'crash':
        return this.#crash(fault)
      case 'restart-storm':
        return this.#storm(fault)
      case 'partition':
        return this.#cut(
          fault,
          between(
            fault.groups.map((group) => group.map(idOf)),
            this.#present().map(({ id }) => id),
          ),
          fault.groups.map((group) => group.map(idOf).join(' ')).join(' | '),
        )
      case 'isolate':
        return this.#isolate(fault)
      case 'one-way': {
        const [from, to] = [idOf(fault.from), idOf(fault.to)]
        return this.#cut(fault, [{ from, to }], `${from} no longer reaches ${to}`)
      }
      case 'reset':
        this.#tell(fault, `the link of ${idOf(fault.a)} and ${idOf(fault.b)} is reset`, [idOf(fault.a), idOf(fault.b)])
        return this.#init.around.network.reset(idOf(fault.a), idOf(fault.b))
      case 'weather':
        return this.#storms(fault)
      case 'pause':
        return this.#pause(fault)
      case 'disk-stall':
      case 'disk-full':
      case 'disk-fails':
      case 'disk-corruption':
      case 'disk-lost':
        return this.#disk(fault)
      case 'coup':
        this.#coups.push(fault)
        return
      case 'add':
      case 'remove':
      case 'promote':
      case 'transfer':
        return this.#operate(fault)
    }
  }

  #crash(fault: Of<'crash'>): void {
    const node = this.#target(fault.node)
    if (node?.state !== 'running') return
    this.#tell(fault, `${node.id} ${fault.kind === 'power' ? 'loses power' : 'is killed'}`, [node.id])
    this.#fell(node, fault.kind, fault.downMillis)
  }

  #fell(node: SimulatedNode, kind: 'power' | 'kill', downMillis: number): void {
    node.crash(kind, kind === 'power' ? 'loss of power' : 'killed')
    this.#init.around.clock.after(downMillis, () => {
      if (node.state === 'down' && !this.#staysDown(node)) node.start()
    })
  }

  #staysDown(node: SimulatedNode): boolean {
    return this.#healed && this.#dead.has(node)
  }

  #storm(fault: Of<'restart-storm'>): void {
    const nodes = this.#present().filter(({ state }) => state === 'running')
    this.#tell(
      fault,
      `all restart, ${fault.times} times`,
      nodes.map(({ id }) => id),
    )
    for (let time = 0; time < fault.times; time++)
      this.#init.around.clock.after(time * fault.everyMillis, () => {
        if (this.#healed) return
        for (const node of this.#present())
          if (node.state === 'running' && !node.diskFails) this.#fell(node, fault.kind, fault.everyMillis / 4)
      })
  }

  #cut(fault: Of<'partition' | 'one-way' | 'isolate'>, links: Parameters<Cuts['cut']>[0], what: string): void {
    const nodes = [...new Set(links.flatMap(({ from, to }) => [from, to]))]
    this.#tell(fault, what, nodes)
    this.#lasts(fault, fault.millis, nodes, this.#cuts.cut(links))
  }

  #isolate(fault: Of<'isolate'>): void {
    const node = this.#target(fault.node)
    if (node === undefined || node.state === 'absent') return
    this.#cut(fault, this.#alone(node), `${node.id} is cut off`)
  }

  #alone(node: SimulatedNode): { from: NodeId; to: NodeId }[] {
    const others = this.#present().filter((other) => other !== node)
    return others.flatMap(({ id }) => [
      { from: node.id, to: id },
      { from: id, to: node.id },
    ])
  }

  #storms(fault: Of<'weather'>): void {
    const { network } = this.#init.around
    this.#tell(fault, 'the weather of the network changes', [])
    this.#weather.push(fault.weather)
    network.setFaults(fault.weather)
    this.#lasts(fault, fault.millis, [], () => {
      this.#weather.splice(this.#weather.indexOf(fault.weather), 1)
      const now = this.#weather.at(-1)
      if (now !== undefined) network.setFaults(now)
    })
  }

  #pause(fault: Of<'pause'>): void {
    const node = this.#target(fault.node)
    if (node?.state !== 'running') return
    const { lives } = node
    this.#tell(fault, `${node.id} is stopped`, [node.id])
    this.#init.around.tell({ type: 'paused', node: node.id })
    node.gate.pause()
    this.#init.around.network.pause(node.id)
    this.#lasts(fault, fault.millis, [node.id], () => {
      if (node.lives !== lives || node.state !== 'running') return
      node.gate.resume()
      if (node.gate.paused) return
      this.#init.around.network.resume(node.id)
      this.#init.around.tell({ type: 'resumed', node: node.id })
    })
  }

  /** Whoever runs a cluster upgrades all of it before the members change: an old version does not understand the new configurations. */
  get #changesMembers(): boolean {
    return this.#init.supports().membership && this.#init.cluster.upgraded
  }

  // ---- disks ------------------------------------------------------------------------------------------------------------------------------

  #disk(fault: Of<'disk-stall' | 'disk-full' | 'disk-fails' | 'disk-corruption' | 'disk-lost'>): void {
    const node = this.#target(fault.node)
    if (node === undefined || node.state === 'absent' || node.state === 'gone') return
    if (fault.type === 'disk-stall') {
      this.#tell(fault, `the disk of ${node.id} stalls`, [node.id])
      node.stall()
      this.#lasts(fault, fault.millis, [node.id], () => node.unstall())
    } else if (fault.type === 'disk-full') {
      this.#tell(fault, `the disk of ${node.id} is full`, [node.id])
      node.fill()
      this.#lasts(fault, fault.millis, [node.id], () => node.drain())
    } else if (fault.type === 'disk-fails') this.#failSync(fault, node)
    else if (!this.#mayLose(node)) return
    else if (fault.type === 'disk-lost') this.#lose(fault, node)
    else if (node.state === 'running') this.#corrupt(fault, node)
  }

  /** The next sync fails: the node must stop by itself, and comes back on what the disk then holds. */
  #failSync(fault: Of<'disk-fails'>, node: SimulatedNode): void {
    if (node.serving === undefined) return
    this.#tell(fault, `syncs of the disk of ${node.id} fail`, [node.id])
    const { faults } = node.disk
    faults.failSync = true
    node.diskFails = true
    const { serving } = node
    this.#lasts(fault, fault.millis, [node.id], () => {
      faults.failSync = node.serving === serving && serving.status().phase === 'failed'
    })
  }

  /** Only a minority may ever be lost at a time, and only while it can be done without. */
  #mayLose(node: SimulatedNode): boolean {
    const { cluster, operator } = this.#init
    return (
      !operator.removes &&
      cluster.membership.members.some(({ id }) => id === node.id) &&
      cluster.hasQuorum((other) => other !== node && cluster.isFit(other))
    )
  }

  #corrupt(fault: Of<'disk-corruption'>, node: SimulatedNode): void {
    const where = node.disk.rot()
    if (where === undefined) return
    node.rotten = true
    this.#tell(fault, `a bit of ${where} on the disk of ${node.id} changes`, [node.id])
    this.#fell(node, 'kill', fault.downMillis)
    this.#init.around.clock.after(fault.downMillis + 100, () => {
      if (node.state === 'gone') this.#replace(node)
    })
  }

  #lose(fault: Of<'disk-lost'>, node: SimulatedNode): void {
    this.#tell(fault, `the disk of ${node.id} is lost`, [node.id])
    node.loseDisk()
    if (this.#init.around.parts.hooks.returnsWithLostDisk === true) {
      node.state = 'down'
      this.#init.around.clock.after(20, () => {
        if (node.state === 'down') node.start()
      })
    } else this.#replace(node)
  }

  #replace(node: SimulatedNode): void {
    if (this.#changesMembers) this.#init.operator.replace(node)
  }

  // ---- elections and members ----------------------------------------------------------------------------------------------------------------

  /** Whoever was just elected is cut off, and who elected it restarts at once: a forgotten vote would now elect a second leader in the same epoch. */
  #coup(fault: Of<'coup'>, elected: NodeId): void {
    const { cluster, around } = this.#init
    const leader = cluster.byId(elected)
    if (this.#healed || leader === undefined) return
    const others = this.#present().filter((node) => node !== leader)
    this.#tell(
      fault,
      `coup against ${elected}`,
      [leader, ...others].map(({ id }) => id),
    )
    this.#lasts(fault, fault.millis, [elected], this.#cuts.cut(this.#alone(leader)))
    const random = around.streams('coup', fault.id)
    for (const node of others) {
      const engine = node.status?.engine
      // Who still stands for election is the rival.
      if (engine !== undefined && around.parts.insight?.standing?.(engine) === true) continue
      if (node.state === 'running' && !node.diskFails) this.#fell(node, fault.kind, random.next() * 4)
    }
  }

  #operate(fault: Of<'add' | 'remove' | 'promote' | 'transfer'>): void {
    const { cluster, operator } = this.#init
    const { transfer } = this.#init.supports()
    if (fault.type === 'transfer') {
      const [leader, to] = [cluster.leader, cluster.node(fault.to)]
      if (!transfer || leader === undefined || leader.gate.paused || to === undefined || to === leader) return
      this.#tell(fault, `${leader.id} is to hand over to ${to.id}`, [leader.id, to.id])
      leader.serving?.transfer(to.id)
      return
    }
    const node = this.#target(fault.node)
    if (!this.#changesMembers || node === undefined) return
    const role = cluster.membership.members.find(({ id }) => id === node.id)?.role
    if (fault.type === 'add') {
      if (node.state !== 'absent') return
      this.#tell(fault, `${node.id} is to join as a ${fault.role}`, [node.id])
      operator.add(node, fault.role)
    } else if (fault.type === 'promote') {
      if (role !== 'learner') return
      this.#tell(fault, `${node.id} is to become a voter`, [node.id])
      operator.change({ type: 'promote', id: node.id }, node)
    } else {
      if (role === undefined || (role === 'voter' && !cluster.mayRemove(node))) return
      this.#tell(fault, `${node.id} is to leave`, [node.id])
      operator.change({ type: 'remove', id: node.id }, node)
    }
  }

  // ---- the healing ------------------------------------------------------------------------------------------------------------------------

  readonly #dead = new Set<SimulatedNode>()

  /** What stays broken, after the healing. */
  broken = { nodes: 0, links: 0 }

  /**
   * Everything is well again but what the plan says stays broken, and but for disks that are gone. What stays broken is a minority of the voters as
   * they are now, or it heals too. Returns who has to converge.
   */
  heal(): readonly SimulatedNode[] {
    const { around, cluster } = this.#init
    for (const end of [...this.#lasting]) end()
    this.#healed = true
    this.#coups = []
    around.network.setFaults({ drop: 0, duplicate: 0, reorder: 0, delay: { least: 0.1, most: 1 } })
    const { links, nodes } = this.#stillBroken()
    this.#cuts.cut(links)
    for (const node of cluster.nodes) {
      node.rotten = node.rotten && node.state !== 'running'
      if (nodes.has(node)) node.crash('kill', 'stays down')
      else if (node.state === 'down') node.start()
    }
    for (const node of nodes) this.#dead.add(node)
    const gone = cluster.nodes.filter(({ state }) => state === 'gone')
    this.broken = { nodes: nodes.size + gone.length, links: links.length }
    around.tell({ type: 'healed' })
    const halved = new Set(links.flatMap(({ from, to }) => [from, to]))
    const lame = cluster.nodes.filter((node) => this.#isLame(node, halved, links))
    return cluster.nodes.filter((node) => node.state === 'running' && !nodes.has(node) && !lame.includes(node))
  }

  /** A node that is deaf or mute towards all others is alone with it; of a single link that stays cut, both ends may be left behind. */
  #isLame(
    node: SimulatedNode,
    halved: ReadonlySet<NodeId>,
    links: readonly { readonly from: NodeId; readonly to: NodeId }[],
  ): boolean {
    if (!halved.has(node.id)) return false
    const others = this.#present().filter((other) => other !== node)
    const whole = (id: NodeId): boolean => {
      const rest = this.#present().filter((other) => other.id !== id)
      return (
        rest.every((other) => links.some(({ from, to }) => from === id && to === other.id)) ||
        rest.every((other) => links.some(({ from, to }) => to === id && from === other.id))
      )
    }
    if (whole(node.id)) return true
    return links.some(
      ({ from, to }) =>
        (from === node.id || to === node.id) && others.some(({ id }) => (id === from || id === to) && !whole(id)),
    )
  }

  #stillBroken(): {
    readonly links: readonly { readonly from: NodeId; readonly to: NodeId }[]
    readonly nodes: ReadonlySet<SimulatedNode>
  } {
    const { around, cluster } = this.#init
    const { broken } = around.plan
    const links = broken.links.map(({ from, to }) => ({ from: idOf(from), to: idOf(to) }))
    const nodes = new Set(
      cluster.nodes.filter(({ number, state }) => broken.nodes.includes(number) && state !== 'absent'),
    )
    const halved = new Set(links.flatMap(({ from, to }) => [from, to]))
    const fit = (without: ReadonlySet<NodeId>) => (node: SimulatedNode) =>
      node.state !== 'gone' &&
      node.state !== 'absent' &&
      !nodes.has(node) &&
      !node.rotten &&
      !this.#isLame(node, without, links)
    if (cluster.hasQuorum(fit(halved))) return { links, nodes }
    if (cluster.hasQuorum(fit(new Set()))) return { links: [], nodes }
    return { links: [], nodes: new Set() }
  }
}
