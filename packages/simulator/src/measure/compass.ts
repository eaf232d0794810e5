import type { SimulatedNode } from '../node.ts'
import type { Observation } from '../observation.ts'
import type { World } from '../world.ts'

/**
 * Tells clients who leads, at the moment in which a node begins to believe that it does. Real clients find out by trying; these do not have to, so
 * that what is measured is the engine and not the client.
 */
export class Compass {
  readonly #world: World
  readonly #listeners: (() => void)[] = []
  #epoch = -1n
  leader: SimulatedNode | undefined

  constructor(world: World) {
    this.#world = world
  }

  /** Called whenever somebody else leads, or leads anew. */
  onLeader(listener: () => void): void {
    this.#listeners.push(listener)
  }

  see(seen: Observation): void {
    if (seen.type !== 'drained' || !seen.status.leading || seen.status.epoch <= this.#epoch) return
    this.#epoch = seen.status.epoch
    this.leader = this.#world.cluster.byId(seen.node)
    for (const listener of this.#listeners) listener()
  }
}
