import type { Random } from '@conclave/interface'
import { pick } from './chance.ts'
import type { Administration, MemberSeen } from './messages.ts'
import type { Network } from './network.ts'
import type { NodeProcess } from './node-process.ts'

/** What faults that change the members need. */
export interface MembershipHands {
  /** Tried once, through the public client; says what went wrong. */
  administer(action: Administration): Promise<{ readonly error?: string; readonly members?: readonly MemberSeen[] }>
  /** Wipes a node's disk, and starts it as somebody new. */
  rebirth(node: NodeProcess): Promise<void>
  endpointOf(node: NodeProcess): string
  /** Nodes that are being replaced: more than one at a time could be too many. */
  readonly replacing: Set<NodeProcess>
  /** The members did not become what they should. */
  failed(text: string): void
}

/** What a fault can lay hands on. */
export interface Arena {
  readonly nodes: readonly NodeProcess[]
  readonly network: Network
  /** The node that the observer saw leading last. */
  leader(): NodeProcess | undefined
  /** Undefined if the cluster's members cannot be changed. */
  readonly members?: MembershipHands
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
  /** Chooses its victims and acts. All chance comes from `random`. Undefined: nobody was left to strike, and nothing was done. */
  inject(arena: Arena, random: Random): Promise<Injected | undefined>
}

/** The leader, or anybody if none is known. */
export const leaderOrAnyone = (arena: Arena, random: Random): NodeProcess => {
  const anyone = pick(random, arena.nodes)
  return arena.leader() ?? anyone
}

export const always = (): boolean => true
export const nothing = async (): Promise<void> => {}
