import type { NodeId, Peer, Transport } from '@conclave/interface'
import type { ComplianceOptions } from '../suite.ts'

/** One member of a network under test. */
export interface TransportMember {
  /** Not started yet. The suite starts it and closes it. */
  readonly transport: Transport
  /** How the others reach it; asked for after `start`. */
  peer(): Peer
}

/** A network of one cluster on which nothing goes wrong by itself: loopback, or memory. */
export interface TransportNetwork {
  /** A member that the others let in. Under the name of a member that was closed: the same one, started anew, reachable as before. */
  member(name: string): Promise<TransportMember>
  /** Resets the links between two members, both ways, as when a machine in between restarts. */
  reset?(a: NodeId, b: NodeId): unknown
  /** Called when the test is over and every transport is closed. */
  dispose?(): Promise<void>
}

/** A transport to be tested. */
export interface TransportSubject extends ComplianceOptions {
  /** As it stands in reports. */
  readonly name: string
  /** A network of its own for each test. */
  network(): TransportNetwork | Promise<TransportNetwork>
  /** Bytes of a message that still fits. Default 4 MiB less 4 KiB, what replicas send at most. */
  readonly messageBytes?: number
  /** Bytes that wait for a peer, in the lane `bulk`, before messages are dropped: make it small, such as 1 MiB. Without it `lost` is not tested. */
  readonly queueBytes?: number
  /** Milliseconds without progress after which a transfer fails: make it small, such as 500. Without it the time-outs are not tested. */
  readonly transferMillis?: number
}
