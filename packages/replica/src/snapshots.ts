import {
  type Effects,
  type IncomingTransfer,
  type Input,
  type Journal,
  type Logger,
  type Monotonic,
  type NodeId,
  type Position,
  position,
  type Random,
  type SnapshotId,
  snapshotId,
  type Transport,
} from '@conclave/interface'
import type { Applier } from './applier.ts'
import { type HeldState, writeBody } from './snapshot-body.ts'

export interface SnapshotsOwner {
  readonly journal: Journal
  readonly transport: Transport
  readonly random: Random
  readonly logger: Logger
  readonly applier: Applier
  /** Queues an input for the engine. */
  push(input: Input): void
  /** Calls for a turn. */
  wake(): void
  /** The newest write emitted so far. */
  issued(): number
}

/** Before a capture that failed (a full disk, say) is tried again. */
const retryMillis = 5_000

/** Captures in the background, streams bodies to peers, and stages what peers send. Nothing here stops the node but a failed restore. */
export class Snapshots {
  readonly #owner: SnapshotsOwner
  readonly #threshold: number
  readonly #abort = new AbortController()
  readonly #tasks = new Set<Promise<void>>()
  readonly #offers = new Map<NodeId, IncomingTransfer>()
  readonly #sending = new Set<NodeId>()
  #capture: { readonly abort: AbortController; readonly task: Promise<void> } | undefined
  #staged: { readonly id: SnapshotId; readonly position: Position; readonly write: number } | undefined
  #wanted = false
  #sinceCapture = 0
  #captured = position(0)
  #notBefore = 0
  captured = 0
  sent = 0
  received = 0

  /** @param threshold bytes applied after which the state is captured. */
  constructor(owner: SnapshotsOwner, threshold: number) {
    this.#owner = owner
    this.#threshold = threshold
  }

  // ---- capture ------------------------------------------------------------------------------------------------------------------------

  /** The state at `at` is in a snapshot already. */
  startsAt(at: Position): void {
    this.#captured = at
    this.#sinceCapture = 0
  }

  applied(bytes: number): void {
    this.#sinceCapture += bytes
  }

  /** The engine needs a newer snapshot than it has. */
  want(): void {
    this.#wanted = true
  }

  /** Begins a capture if it is due and possible. To be called when everything of the turn is applied. */
  maybeCapture(now: Monotonic): void {
    const due = this.#wanted || this.#sinceCapture >= this.#threshold
    const { applier } = this.#owner
    if (!due || this.#capture !== undefined || this.#staged !== undefined || applier.restoring || now < this.#notBefore)
      return
    if (applier.point.position <= this.#captured) {
      this.#wanted = false
      return
    }
    this.#wanted = false
    this.#sinceCapture = 0
    this.#notBefore = 0
    const abort = new AbortController()
    const task = this.#stage(applier.hold(), abort.signal, now)
    this.#capture = { abort, task }
    this.#track(task)
  }

  async #stage(held: HeldState, signal: AbortSignal, now: Monotonic): Promise<void> {
    const id = this.#newId(held.position)
    // What is applied was decided, but its own write may still be in flight: the log is given up only for what this node has durable.
    const write = this.#owner.issued()
    try {
      await this.#owner.journal.stage(id, writeBody(held), AbortSignal.any([signal, this.#abort.signal]))
      this.captured++
      this.#captured = held.position
      this.#staged = { id, position: held.position, write }
      this.#owner.wake()
    } catch (error) {
      if (signal.aborted || this.#abort.signal.aborted) return
      this.#wanted = true
      this.#notBefore = now + retryMillis
      this.#owner.logger.warn(
        { err: error, position: held.position },
        'the state could not be captured; trying again in 5 s',
      )
    } finally {
      for (const { capture } of held.machines) capture.release()
      this.#capture = undefined
    }
  }

  /** The captured snapshot, once everything up to it is durable here. Handed over once. */
  takeCaptured(durable: number): Input | undefined {
    const staged = this.#staged
    if (staged === undefined || staged.write > durable) return undefined
    this.#staged = undefined
    return { type: 'captured', snapshot: { id: staged.id, position: staged.position } }
  }

  /** Ends a capture under way, because the machines are about to be replaced. */
  async abortCapture(): Promise<void> {
    const capture = this.#capture
    capture?.abort.abort()
    await capture?.task
  }

  // ---- to a peer ----------------------------------------------------------------------------------------------------------------------

  send({ to, id, header }: NonNullable<Effects['sendSnapshot']>[number]): void {
    if (this.#sending.has(to)) return this.#owner.push({ type: 'snapshotSent', to, id, ok: false })
    this.#sending.add(to)
    this.#track(this.#transfer(to, id, header))
  }

  async #transfer(to: NodeId, id: SnapshotId, header: Uint8Array): Promise<void> {
    const { journal, transport, logger } = this.#owner
    let ok = false
    try {
      ok = (await transport.transfer(to, header, journal.readSnapshot(id), this.#abort.signal)) === 'accepted'
      if (ok) this.sent++
    } catch (error) {
      if (!this.#abort.signal.aborted)
        logger.warn({ err: error, peer: to, snapshot: id }, 'a snapshot could not be sent')
    }
    this.#sending.delete(to)
    this.#owner.push({ type: 'snapshotSent', to, id, ok })
  }

  // ---- from a peer --------------------------------------------------------------------------------------------------------------------

  /** One open offer a peer: a newer one takes the place of an older one. */
  offered(from: NodeId, transfer: IncomingTransfer): void {
    this.#offers.get(from)?.reject()
    this.#offers.set(from, transfer)
    this.#owner.push({ type: 'snapshotOffered', from, header: transfer.header })
  }

  answer({ from, accept }: NonNullable<Effects['answerSnapshot']>[number]): void {
    const transfer = this.#offers.get(from)
    if (transfer === undefined) return
    this.#offers.delete(from)
    if (accept) this.#track(this.#receive(from, transfer))
    else transfer.reject()
  }

  async #receive(from: NodeId, transfer: IncomingTransfer): Promise<void> {
    const { journal, logger, applier } = this.#owner
    const id = this.#newId(applier.point.position)
    try {
      await journal.stage(id, transfer.accept(), this.#abort.signal)
    } catch (error) {
      if (!this.#abort.signal.aborted) logger.warn({ err: error, peer: from }, 'a snapshot could not be taken')
      transfer.reject() // the sender need not wait for its time-out
      return
    }
    this.received++
    transfer.confirm()
    this.#owner.push({ type: 'snapshotReceived', from, id, header: transfer.header })
  }

  /** Removes a staged body that the engine has not named. */
  discard(id: SnapshotId): void {
    this.#track(
      this.#owner.journal.discard(id).catch((error: unknown) => {
        this.#owner.logger.warn({ err: error, snapshot: id }, 'a snapshot that is not needed could not be removed')
      }),
    )
  }

  // ---- all ----------------------------------------------------------------------------------------------------------------------------

  #newId(at: Position): SnapshotId {
    const digits = () =>
      Math.floor(this.#owner.random.next() * 0x1_0000_0000)
        .toString(16)
        .padStart(8, '0')
    return snapshotId(`${at}-${digits()}${digits()}`)
  }

  #track(task: Promise<void>): void {
    this.#tasks.add(task)
    void task.finally(() => this.#tasks.delete(task))
  }

  /** Aborts everything. */
  stop(): void {
    this.#abort.abort()
    for (const transfer of this.#offers.values()) transfer.reject()
    this.#offers.clear()
  }

  /** Settles when nothing runs any more. After `stop`. */
  async stopped(): Promise<void> {
    await Promise.all([...this.#tasks])
  }
}
