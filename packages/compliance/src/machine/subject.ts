import type { Epoch, LogTime, NodeId, Position, Random, StateMachine } from '@conclave/interface'
import type { ComplianceOptions } from '../suite.ts'

/** A state machine to be tested. */
export interface MachineSubject extends ComplianceOptions {
  /** As it stands in reports. */
  readonly name: string
  /** A new machine in its first state. */
  machine(): StateMachine
  /** A well-formed command, drawn from `random` alone; such that they meet: few keys, not many. `index` counts from 0. */
  command(random: Random, index: number): Uint8Array
  /** A well-formed query, drawn from `random` alone. Without it, nothing but hashes shows the state. */
  query?(random: Random): Uint8Array
  /** A request for a feed of everything from the first command on. */
  readonly watch?: Uint8Array
  /** A well-formed request to the machine's service, drawn from `random` alone; without it, requests are random bytes. No request of up to two bytes may be well-formed. */
  ask?(random: Random): Uint8Array
  /** Commands that must have no effect. */
  readonly malformed?: readonly Uint8Array[]
}

/** One step of a machine's life. */
export type Step =
  | {
      readonly type: 'apply'
      readonly command: Uint8Array
      readonly context: { position: Position; time: LogTime; epoch: Epoch }
    }
  | { readonly type: 'reign'; readonly epoch: Epoch; readonly leader: NodeId; readonly position: Position }
