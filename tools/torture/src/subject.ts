import type { EngineFactory, Membership, NodeId, Status } from '@conclave/interface'

/** An engine as its tests see it. `Message` is what its messages parse to. */
export interface Subject<Message = unknown> {
  /** Makes the nodes, unless a test names another make. */
  readonly factory: EngineFactory
  /** @throws MalformedBytes */
  decode(message: Uint8Array): Message
  /** Whether a message asks for leadership: while `Cluster.elect` runs, such messages of all but one node are kept back. */
  campaigns(message: Message): boolean
  /** Heard from `id`, it makes whoever looks for a leader take `id` for it. Absent: a node leads if its time-out ends first. */
  hint?(id: NodeId): Uint8Array
  /** What a newly decided configuration owes to the one before, by this engine's own protocol. @throws Violation, see `check`. */
  configured?(position: number, before: Membership, next: Membership): void
  /** Whether `status.membership` may be a later configuration than that of the snapshot at `position`, which has just been installed. Absent: never. */
  foresees?(status: Status, position: number): boolean
}
