import * as torture from '@conclave/torture'
import { changesAreJoint, type Make, type Subject } from '@conclave/torture'
import { raft } from '../src/index.ts'
import { decodeMessage, type Message } from '../src/messages.ts'

export const subject: Subject<Message> = {
  factory: raft,
  decode: decodeMessage,
  campaigns: ({ type }) => type === 'vote',
  configured: changesAreJoint,
}

export type Server = torture.Node<Message>
export type Flying = torture.Flying<Message>

/** A few servers and the messages between them, delivered when the test says so. */
export class Servers extends torture.Cluster<Message> {
  constructor(count: number, make: Make = {}) {
    super(subject, count, make)
  }
}

/** One server of three, n1, and what it says. */
export const lone = (make: Make & { readonly count?: number } = {}) => {
  const { node, said, reply } = torture.lone(subject, make)
  return { server: node, said, reply }
}
