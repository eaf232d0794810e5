import { concatChunks, nodeId } from '@conclave/interface'
import * as torture from '@conclave/torture'
import { changesAreJoint, type Make, type Subject } from '@conclave/torture'
import { zab } from '../src/index.ts'
import { decodeMessage, encodeMessage, type Message } from '../src/messages.ts'
import { noZxid, type ZabEpoch, type Zxid, zabEpoch } from '../src/zxid.ts'

export const subject: Subject<Message> = {
  factory: zab,
  decode: decodeMessage,
  campaigns: ({ type }) => type === 'notification',
  configured: changesAreJoint,
  /** Phase 0 is only a hint: a node that looks follows whoever says that it leads. */
  hint: (leader) => {
    const vote = { leader, epoch: e(0), zxid: noZxid }
    return concatChunks(encodeMessage({ type: 'notification', epoch: e(0), round: 0, state: 'LEADING', vote }))
  },
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

export const e = (epoch: number): ZabEpoch => zabEpoch(epoch)
export const zxidOf = (epoch: number, counter: number): Zxid => ({ epoch: e(epoch), counter })

/** Hands a node one message. */
export const give = (node: Node, from: string, message: Message): void =>
  node.turn({ type: 'receive', from: nodeId(from), message: concatChunks(encodeMessage(message)) })
