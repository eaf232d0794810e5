import {
  type Decided,
  type Effects,
  type Epoch,
  type JournalOp,
  type LeaderInfo,
  type NodeId,
  type Outcome,
  type Peer,
  type Position,
  type RequestId,
  type Send,
  type Settle,
  type SnapshotId,
  type WriteId,
  writeId,
} from '@conclave/interface'

/** The mutable halves of `Effects`, collected between two drains. */
export class Outbox {
  ops: JournalOp[] = []
  send: Send[] = []
  decide: Decided[] = []
  settled: Settle[] = []
  peers: readonly Peer[] | undefined
  capture = false
  sendSnapshot: { to: NodeId; id: SnapshotId; header: Uint8Array }[] = []
  answerSnapshot: { from: NodeId; accept: boolean }[] = []
  restore: { id: SnapshotId; position: Position; epoch: Epoch } | undefined
  #nextWrite = 1
  #toldEpoch: Epoch | undefined
  #toldLeader: NodeId | undefined

  /** The id that the next write will have, if this turn writes anything. */
  get nextWrite(): WriteId {
    return writeId(this.#nextWrite)
  }

  settle(id: RequestId, outcome: Outcome): void {
    this.settled.push({ id, outcome })
  }

  /** Everything since the last time. @param meta the engine's record, if it has changed. */
  drain(meta: Uint8Array | undefined, leader: LeaderInfo): Effects {
    const ops = meta === undefined ? this.ops : [{ type: 'meta', bytes: meta } as const, ...this.ops]
    const news = this.#leaderNews(leader)
    const effects: Effects = {
      send: this.send,
      decide: this.decide,
      settle: this.settled,
      ...(ops.length > 0 && { write: { id: writeId(this.#nextWrite++), ops } }),
      ...(news !== undefined && { leader: news }),
      ...(this.peers !== undefined && { peers: this.peers }),
      ...(this.capture && { capture: true as const }),
      ...(this.sendSnapshot.length > 0 && { sendSnapshot: this.sendSnapshot }),
      ...(this.answerSnapshot.length > 0 && { answerSnapshot: this.answerSnapshot }),
      ...(this.restore !== undefined && { restore: this.restore }),
    }
    this.#clear()
    return effects
  }

  #clear(): void {
    this.ops = []
    this.send = []
    this.decide = []
    this.settled = []
    this.peers = undefined
    this.capture = false
    this.sendSnapshot = []
    this.answerSnapshot = []
    this.restore = undefined
  }

  #leaderNews(leader: LeaderInfo): LeaderInfo | undefined {
    if (this.#toldEpoch === leader.epoch && this.#toldLeader === leader.id) return undefined
    this.#toldEpoch = leader.epoch
    this.#toldLeader = leader.id
    return leader
  }
}
