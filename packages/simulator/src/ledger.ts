import { concatChunks, type Decided, type JournalOp, type NodeId } from '@conclave/interface'
import { Digest, digestOf } from './digest.ts'
import type { Observation } from './observation.ts'
import { SessionsModel } from './sessions-model.ts'

/** What a log holds at a slot: `chain` stands for this entry and all before it. */
export interface Link {
  readonly chain: string
  /** Undefined if nobody can tell. */
  readonly epoch: bigint | undefined
}

/** The log of one life of one node, as it was handed to its journal. */
export class NodeLog {
  base = 0
  baseChain: string | undefined = ''
  links: (Link | undefined)[] = []

  get last(): number {
    return this.base + this.links.length
  }

  /** Undefined: below what was given up, beyond the end, or not known. */
  chainAt(slot: number): string | undefined {
    if (slot === this.base) return this.baseChain
    return this.links[slot - this.base - 1]?.chain
  }

  at(slot: number): Link | undefined {
    return this.links[slot - this.base - 1]
  }

  truncateFrom(slot: number): void {
    if (slot <= this.last) this.links.length = Math.max(0, slot - this.base - 1)
  }

  compactTo(slot: number, decided: string | undefined): void {
    if (slot <= this.base) return
    const chain = this.chainAt(slot) ?? decided
    this.links = slot >= this.last ? [] : this.links.slice(slot - this.base)
    this.base = slot
    this.baseChain = chain
  }

  copy(): NodeLog {
    const copy = new NodeLog()
    copy.base = this.base
    copy.baseChain = this.baseChain
    copy.links = this.links.slice()
    return copy
  }
}

export interface DecidedEntry {
  readonly decided: Decided
  /** What was decided, in one line: equal for equal entries. */
  readonly text: string
  /** The chain of the log of who decided it first. */
  readonly chain: string | undefined
  readonly by: NodeId
  /** The reign in which that node was then. */
  readonly under: bigint
}

export const decidedText = (decided: Decided): string => {
  switch (decided.type) {
    case 'batch':
      return `batch ${digestOf([decided.batch])} of ${decided.epoch}`
    case 'members': {
      const { members, outgoing = [] } = decided.membership
      const list = members.map(({ id, role, promote }) => `${id}${role === 'learner' ? '?' : ''}${promote ? '!' : ''}`)
      return `members ${list.join(' ')}${outgoing.length > 0 ? ` from ${outgoing.join(' ')}` : ''} of ${decided.epoch}`
    }
    case 'reign':
      return `reign of ${decided.leader} of ${decided.epoch}`
    case 'noop':
      return `noop of ${decided.epoch}`
  }
}

/** A step of a write, as a log takes it. */
type Step =
  | { readonly type: 'put'; readonly slot: number; readonly link: Link | undefined }
  | { readonly type: 'truncateFrom'; readonly slot: number }
  | { readonly type: 'compactTo'; readonly slot: number; readonly decided: string | undefined }

const take = (log: NodeLog, step: Step): void => {
  if (step.type === 'truncateFrom') return log.truncateFrom(step.slot)
  if (step.type === 'compactTo') return log.compactTo(step.slot, step.decided)
  if (step.slot <= log.base) return
  log.truncateFrom(step.slot)
  while (log.last < step.slot - 1) log.links.push(undefined)
  log.links.push(step.link)
}

/** What has been written and decided, by whom: the common memory of the invariants. Sees each observation before they do. */
export class Ledger {
  readonly decided: DecidedEntry[] = []
  readonly logs = new Map<NodeId, NodeLog>()
  /** The part of each log that its journal has called durable; over lives, what was found again. */
  readonly durable = new Map<NodeId, NodeLog>()
  readonly #written = new Map<NodeId, { readonly write: number; readonly steps: readonly Step[] }[]>()
  readonly sessions = new SessionsModel()
  /** Whether each entry names its reign and stands for all before it: only such logs can be compared from node to node. */
  readonly comparable: boolean
  readonly #entryEpoch: (entry: Uint8Array) => bigint | undefined

  constructor(entryEpoch: ((entry: Uint8Array) => bigint | undefined) | undefined) {
    this.comparable = entryEpoch !== undefined
    this.#entryEpoch = entryEpoch ?? (() => undefined)
  }

  get decidedTo(): number {
    return this.decided.length
  }

  logOf(node: NodeId): NodeLog {
    let log = this.logs.get(node)
    if (log === undefined) {
      log = new NodeLog()
      this.logs.set(node, log)
    }
    return log
  }

  /** The chain at a decided position. */
  decidedChain(position: number): string | undefined {
    return position === 0 ? '' : this.decided[position - 1]?.chain
  }

  see(observation: Observation): void {
    if (observation.type === 'started') this.#begin(observation)
    else if (observation.type === 'durable') this.#durable(observation.node, observation.write)
    else if (observation.type === 'drained') {
      const { node, effects, status } = observation
      const log = this.logOf(node)
      const { write } = effects
      if (write !== undefined) {
        const steps = write.ops.map((op) => this.#apply(log, op)).filter((step) => step !== undefined)
        this.#written.get(node)?.push({ write: write.id, steps })
      }
      for (const decided of effects.decide) this.#decide(node, log, decided, status.epoch)
    }
  }

  #begin({ node, recovered }: Extract<Observation, { type: 'started' }>): void {
    const log = new NodeLog()
    this.logs.set(node, log)
    const base = recovered.snapshot?.position ?? 0
    if (base > 0) log.compactTo(base, this.decidedChain(base))
    for (const { slot, bytes } of recovered.entries) if (slot > base) take(log, this.#put(log, slot, bytes))
    this.durable.set(node, log.copy())
    this.#written.set(node, [])
  }

  #durable(node: NodeId, write: number): void {
    const log = this.durable.get(node)
    const written = this.#written.get(node) ?? []
    while (log !== undefined && written[0] !== undefined && written[0].write <= write)
      for (const step of written.shift()?.steps ?? []) take(log, step)
  }

  #apply(log: NodeLog, op: JournalOp): Step | undefined {
    const step = this.#stepOf(log, op)
    if (step !== undefined) take(log, step)
    return step
  }

  #stepOf(log: NodeLog, op: JournalOp): Step | undefined {
    if (op.type === 'put') return this.#put(log, op.slot, concatChunks(op.bytes))
    if (op.type === 'truncateFrom') return op
    if (op.type === 'compactTo') return { ...op, decided: log.chainAt(op.slot) ?? this.decidedChain(op.slot) }
    return undefined
  }

  #put(log: NodeLog, slot: number, bytes: Uint8Array): Step {
    const before = log.chainAt(slot - 1)
    const link = before === undefined ? undefined : { chain: chained(before, bytes), epoch: this.#entryEpoch(bytes) }
    return { type: 'put', slot, link }
  }

  #decide(node: NodeId, log: NodeLog, decided: Decided, under: bigint): void {
    if (decided.position !== this.decided.length + 1) return // known already, or a gap, which an invariant reports
    this.sessions.decide(decided.type === 'batch' ? decided.batch : undefined)
    this.decided.push({ decided, text: decidedText(decided), chain: log.chainAt(decided.position), by: node, under })
  }
}

const chained = (before: string, bytes: Uint8Array): string => {
  const digest = new Digest()
  digest.add(before)
  digest.bytes(bytes)
  return digest.text
}
