import type { Decided, Effects, JournalOp, NodeId, Peer, Send, Settle } from '@conclave/interface'

type Mutable<T> = T extends readonly (infer Item)[] ? Item[] : never

/** The mutable halves of `Effects`, collected between two drains. */
export class Outbox {
  readonly ops: JournalOp[] = []
  readonly send: Send[] = []
  decide: Decided[] = []
  readonly settle: Settle[] = []
  readonly sendSnapshot: Mutable<NonNullable<Effects['sendSnapshot']>> = []
  readonly answerSnapshot: { from: NodeId; accept: boolean }[] = []
  peers: readonly Peer[] | undefined
  capture = false
  restore: Effects['restore'] | undefined

  effects(write: Effects['write'], leader: Effects['leader']): Effects {
    const { send, decide, settle, sendSnapshot, answerSnapshot, peers, restore } = this
    return {
      send,
      decide,
      settle,
      ...(write !== undefined && { write }),
      ...(leader !== undefined && { leader }),
      ...(peers !== undefined && { peers }),
      ...(this.capture && { capture: true as const }),
      ...(sendSnapshot.length > 0 && { sendSnapshot }),
      ...(answerSnapshot.length > 0 && { answerSnapshot }),
      ...(restore !== undefined && { restore }),
    }
  }
}
