import { concatChunks, nodeId } from '@conclave/interface'
import * as torture from '@conclave/torture'
import { changesAreJoint, type Make, type Subject } from '@conclave/torture'
import { zab } from '../src/index.ts'
import { decodeMessage, encodeMessage, type Message, type MessageOf } from '../src/messages.ts'
import { makeTransaction, transactionKind } from '../src/transaction.ts'
import { noZxid, type ZabEpoch, type Zxid, zabEpoch } from '../src/zxid.ts'

export const e = (epoch: number): ZabEpoch => zabEpoch(epoch)

export const subject: Subject<Message> = {
  factory: zab,
  decode: decodeMessage,
  campaigns: ({ type }) => type === 'notification',
  configured: changesAreJoint,
  /** Phase 0 is only a hint: a node that looks follows whoever says that it leads. */
  hint: () => concatChunks(encodeMessage(hint)),
}

/** Somebody says that it leads. */
export const hint: Message = {
  type: 'notification',
  epoch: e(0),
  round: 0,
  state: 'LEADING',
  vote: undefined,
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

export const zxidOf = (epoch: number, counter: number): Zxid => ({ epoch: e(epoch), counter })

/** Hands a node one message. */
export const give = (node: Node, from: string, message: Message): void =>
  node.turn({ type: 'receive', from: nodeId(from), message: concatChunks(encodeMessage(message)) })

/** What was said, of one type. */
export const told = <Type extends Message['type']>(said: readonly Flying[], type: Type): MessageOf<Type>[] =>
  said.map(({ message }) => message).filter((message): message is MessageOf<Type> => message.type === type)

export const outcomesOf = ({ settled }: Node, id: number) =>
  settled.filter((settle) => settle.id === id).map(({ outcome }) => outcome)

/** A proposal of batches with these zxids. */
export const proposal = (
  epoch: number,
  first: number,
  zxids: readonly Zxid[],
  { committed = 0, batch = 'x' } = {},
): Message => {
  const transactions = zxids.map((zxid) =>
    makeTransaction(zxid, transactionKind.batch, new TextEncoder().encode(batch)),
  )
  return { type: 'propose', epoch: e(epoch), first, committed, transactions }
}

/** n1 of three takes n2 for the leader, and has promised it this epoch. */
export const promised = (epoch: number, make: Make = {}) => {
  const made = lone(make)
  give(made.node, 'n2', hint)
  give(made.node, 'n2', { type: 'newEpoch', epoch: e(epoch) })
  return made
}

/** n1 of three follows n2, which had nothing before this epoch, and has a quorum. */
export const following = (epoch: number, make: Make = {}) => {
  const made = promised(epoch, make)
  give(made.node, 'n2', { type: 'diff', epoch: e(epoch), position: 0, zxid: noZxid })
  give(made.node, 'n2', { type: 'newLeader', epoch: e(epoch), position: 0 })
  give(made.node, 'n2', { type: 'commitLeader', epoch: e(epoch), committed: 0 })
  return made
}

/** n1 was elected, and has made epoch 1: n2 takes it for the leader. */
export const elected = (make: Make & { readonly count?: number } = {}) => {
  const made = lone(make)
  give(made.node, 'n2', { type: 'cepoch', epoch: e(0), acceptedFrom: undefined })
  return made
}

/** n1 leads epoch 1, in which the first transaction is committed: n2 follows. */
export const leading = (make: Make = {}) => {
  const made = elected(make)
  const [{ node }, epoch] = [made, e(1)]
  give(node, 'n2', { type: 'ackEpoch', epoch, currentEpoch: e(0), last: 0, zxid: noZxid })
  give(node, 'n2', { type: 'ackLeader', epoch })
  give(node, 'n2', { type: 'ack', epoch, position: 1, resume: false })
  return made
}
