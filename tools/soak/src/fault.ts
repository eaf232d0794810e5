import type { Random } from '@conclave/interface'
import { pick } from './chance.ts'
import type { Network } from './network.ts'
import type { NodeProcess } from './node-process.ts'

/** What a fault can lay hands on. */
export interface Arena {
  readonly nodes: readonly NodeProcess[]
  readonly network: Network
  /** The node that the observer saw leading last. */
  leader(): NodeProcess | undefined
}

/** A fault that is in force. */
export interface Injected {
  /** What was done to whom. */
  readonly text: string
  readonly lastsMillis: number
  /** Ends it. What was killed is started, what was paused goes on. */
  heal(): Promise<void>
}

export interface Fault {
  readonly kind: string
  /** How often it is chosen, relative to the others. */
  readonly weight: number
  /** Whether it can be done here at all. */
  possible(arena: Arena): boolean
  /** Chooses its victims and acts. All chance comes from `random`. */
  inject(arena: Arena, random: Random): Promise<Injected>
}

/** The leader, or anybody if none is known. */
export const leaderOrAnyone = (arena: Arena, random: Random): NodeProcess => {
  const anyone = pick(random, arena.nodes)
  return arena.leader() ?? anyone
}

export const always = (): boolean => true
export const nothing = async (): Promise<void> => {}
