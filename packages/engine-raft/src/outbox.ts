import type {
  Chunks,
  Decided,
  Effects,
  Epoch,
  JournalOp,
  Lane,
  NodeId,
  Outcome,
  Peer,
  Position,
  RequestId,
  Send,
  Settle,
  SnapshotId,
} from '@conclave/interface'

/** The mutable halves of `Effects`, collected between two drains. */
export class Outbox {
  readonly ops: JournalOp[] = []
  decide: Decided[] = []
  peers: readonly Peer[] | undefined
  capture = false
  restore: { id: SnapshotId; position: Position; epoch: Epoch } | undefined
  readonly #send: Send[] = []
  readonly #settle: Settle[] = []
  readonly #sendSnapshot: { to: NodeId; id: SnapshotId; header: Uint8Array }[] = []
  readonly #answerSnapshot: { from: NodeId; accept: boolean }[] = []

  send(to: NodeId, message: Chunks, lane: Lane, early: boolean): void {
    this.#send.push(early ? { to, message, lane, early } : { to, message, lane })
  }

  settle(id: RequestId, outcome: Outcome): void {
    this.#settle.push({ id, outcome })
  }

  sendSnapshot(to: NodeId, id: SnapshotId, header: Uint8Array): void {
    this.#sendSnapshot.push({ to, id, header })
  }

  answerSnapshot(from: NodeId, accept: boolean): void {
    this.#answerSnapshot.push({ from, accept })
  }

  effects(write: Effects['write'], leader: Effects['leader']): Effects {
    return {
      send: this.#send,
      decide: this.decide,
      settle: this.#settle,
      ...(write !== undefined && { write }),
      ...(leader !== undefined && { leader }),
      ...(this.peers !== undefined && { peers: this.peers }),
      ...(this.capture && { capture: true as const }),
      ...(this.#sendSnapshot.length > 0 && { sendSnapshot: this.#sendSnapshot }),
      ...(this.#answerSnapshot.length > 0 && { answerSnapshot: this.#answerSnapshot }),
      ...(this.restore !== undefined && { restore: this.restore }),
    }
  }
}
