/** The promises that are looked after in every turn of every engine of a world: the names of their tests. */
export const promises = {
  throws: 'step and drain never throw, whatever messages are late, doubled, reordered or lost',
  pure: 'no clock, no timer, no randomness but init.random is used',
  same: 'a pure state machine: the same inputs give the same effects',
  inputs: 'the bytes of messages and batches are read, never written: others hold them too',
  writeIds: 'write: ids rise by one from 1',
  journal:
    'write: keeps the rules of the journal: slots above what was compacted, snapshots that are staged, compaction below a snapshot',
  order: 'decide: contiguous, each position once, from the one after the recovered or restored snapshot',
  agreement: 'decide: one total order: no two nodes ever decide differently at a position',
  proposed: 'decide: only batches that were proposed, each once',
  settleOnce: 'settle: every proposal settles exactly once, every read at most once and never after its cancel',
  settleDecided: 'settle decided: the batch stands at that position, in a decide of this drain or an earlier one',
  settleRefused: 'settle refused: definite: it was not and is not decided',
  reads: 'settle readAt: a linearizable read sees everything that was acknowledged before it began',
  leaderTold: 'leader: told at every change of epoch or leader',
  oneLeader: 'leader: at most one for an epoch, and its reign is the first that it gets decided',
  send: 'send: no message is larger than its limit, none goes to the sender itself',
  peers: 'peers: everyone to hold a link to, self excluded, told from the first drain on',
  status: 'status: decided is the last decided position, last is not below it, snapshot not above it',
  progress: 'when everything is healed a leader is elected, what was proposed settles, and all nodes decide the same',
} as const
export type PromiseName = keyof typeof promises

/** What was found broken in one world. */
export class Findings {
  readonly #found = new Map<PromiseName, string>()

  /** Notes the first breach of each promise. */
  add(promise: PromiseName, what: string): void {
    if (!this.#found.has(promise)) this.#found.set(promise, what)
  }

  of(promise: PromiseName): string | undefined {
    return this.#found.get(promise)
  }

  get all(): ReadonlyMap<PromiseName, string> {
    return this.#found
  }
}
