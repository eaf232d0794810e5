import { concatChunks, nodeId } from '@conclave/interface'
import * as torture from '@conclave/torture'
import { check, type Make, type Subject } from '@conclave/torture'
import type { Ballot } from '../src/ballot.ts'
import { foundingConfiguration } from '../src/configuration.ts'
import { paxos } from '../src/index.ts'
import { type Body, decodeMessage, encodeMessage, encodeSnapshotHeader, type Message } from '../src/messages.ts'

export const subject: Subject<Message> = {
  factory: paxos,
  decode: decodeMessage,
  campaigns: ({ type }) => type === 'canvass',
  /** A stop ends its configuration at once: none is joint. */
  configured: (position, _, next) => check(next.outgoing === undefined, `the configuration at ${position} is joint`),
  /** A stop may be accepted in a later slot already. */
  foresees: ({ detail }, position) => detail.top !== position,
}

export type Node = torture.Node<Message>
export type Flying = torture.Flying<Message>

/** A few nodes and the messages between them, delivered when the test says so. */
export class Nodes extends torture.Cluster<Message> {
  constructor(count: number, make: Make = {}) {
    super(subject, count, make)
  }
}

/** One node of three, n1, and what it says. */
export const lone = (make: Make & { readonly count?: number } = {}) => torture.lone(subject, make)

export const ballotOf = (round: number, ordinal: number): Ballot => ({ round, ordinal })

/** Hands a node one message, of the founders' configuration unless told otherwise. */
export const give = (
  node: Node,
  from: string,
  body: Body,
  ballot: Ballot,
  head: { readonly decided?: number; readonly configuration?: number } = {},
): void => {
  const message: Message = { configuration: 0, decided: 0, ...head, ...body, ballot }
  node.turn({ type: 'receive', from: nodeId(from), message: concatChunks(encodeMessage(message)) })
}

/** The header of a snapshot that a node would send. */
export const headerOf = (node: Node, position: number, ballot = ballotOf(1, 2)): Uint8Array => {
  const configuration = foundingConfiguration(node.status.membership)
  return encodeSnapshotHeader({ ballot, position, reign: ballot, configuration })
}
