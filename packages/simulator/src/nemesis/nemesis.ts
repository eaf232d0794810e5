import type { SimulatedNode } from '../node.ts'
import type { Observation } from '../observation.ts'
import type { Fault } from '../plan.ts'
import { Coups } from './coups.ts'
import { strikeDisk } from './disks.ts'
import { leftBehind, remains } from './healing.ts'
import { changeMembers, transfer } from './members.ts'
import { isolate, oneWay, partition, reset, Skies } from './network.ts'
import { crash, pause, storm } from './processes.ts'
import { type NemesisInit, Toolkit } from './toolkit.ts'

/** Makes happen what the plan says goes wrong, and heals it. */
export class Nemesis {
  readonly #kit: Toolkit
  readonly #coups: Coups
  readonly #skies: Skies
  /** What stays broken, after the healing. */
  broken = { nodes: 0, links: 0 }

  constructor(init: NemesisInit) {
    this.#kit = new Toolkit(init)
    this.#coups = new Coups(this.#kit)
    this.#skies = new Skies(this.#kit)
  }

  /** Is any link cut right now? */
  get partitioned(): boolean {
    return this.#kit.cuts.any
  }

  begin(): void {
    const { clock, plan } = this.#kit.around
    for (const fault of plan.faults)
      clock.after(fault.at, () => {
        if (!this.#kit.healed) this.strike(fault)
      })
  }

  see(seen: Observation): void {
    this.#coups.see(seen)
  }

  /** Makes it happen now. */
  strike(fault: Fault): void {
    const kit = this.#kit
    switch (fault.type) {
      case 'crash':
        return crash(kit, fault)
      case 'restart-storm':
        return storm(kit, fault)
      case 'partition':
        return partition(kit, fault)
      case 'isolate':
        return isolate(kit, fault)
      case 'one-way':
        return oneWay(kit, fault)
      case 'reset':
        return reset(kit, fault)
      case 'weather':
        return this.#skies.change(fault)
      case 'pause':
        return pause(kit, fault)
      case 'disk-stall':
      case 'disk-full':
      case 'disk-fails':
      case 'disk-corruption':
      case 'disk-lost':
        return strikeDisk(kit, fault)
      case 'coup':
        return this.#coups.arm(fault)
      case 'add':
      case 'remove':
      case 'promote':
        return changeMembers(kit, fault)
      case 'transfer':
        return transfer(kit, fault)
    }
  }

  /**
   * Everything is well again but what the plan says stays broken, and but for disks that are gone. Returns who has to converge: everybody else who
   * runs.
   */
  heal(): readonly SimulatedNode[] {
    const kit = this.#kit
    const { links, nodes } = remains(kit)
    kit.end(nodes)
    this.#skies.clear()
    kit.cuts.cut(links)
    for (const node of kit.present()) {
      if (nodes.has(node)) node.crash('kill', 'stays down')
      else if (node.state === 'down') node.start()
    }
    const gone = kit.present().filter(({ state }) => state === 'gone')
    this.broken = { nodes: nodes.size + gone.length, links: links.length }
    kit.around.tell({ type: 'healed' })
    const left = leftBehind(kit, links)
    return kit.present().filter((node) => node.state === 'running' && !nodes.has(node) && !left.has(node.id))
  }
}
