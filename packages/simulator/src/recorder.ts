import { concatChunks, type EngineFactory, type NodeId } from '@conclave/interface'
import type { NetworkTap } from '@conclave/transport-memory'
import { Digest } from './digest.ts'
import { decidedText } from './ledger.ts'
import type { Observation } from './observation.ts'
import type { Trace, TraceEvent } from './trace.ts'

/** `Omit` for each member of a union. */
type Without<T, K extends string> = T extends unknown ? Omit<T, K> : never
type Untimed = Without<TraceEvent, 'at'>

/** Events that are kept of a run whose whole trace nobody asked for. */
const ring = 400

export interface RecorderInit {
  readonly now: () => number
  /** Keep everything, messages included. */
  readonly whole: boolean
  readonly engine: EngineFactory
  /** The epoch of an entry as it is written, if that can be told. */
  readonly entryEpoch?: ((entry: Uint8Array) => bigint | undefined) | undefined
}

/** Turns what is seen into a trace and a digest. */
export class Recorder {
  readonly digest = new Digest()
  readonly #init: RecorderInit
  #events: TraceEvent[] = []
  #messages = 0
  readonly #travelling = new Map<number, { readonly from: NodeId; readonly to: NodeId; readonly what: string }>()
  readonly #roles = new Map<NodeId, string>()

  constructor(init: RecorderInit) {
    this.#init = init
  }

  /** Looks at messages. Their number, size and way go into the digest. */
  get tap(): NetworkTap {
    return {
      sent: (from, to, message) => {
        const id = ++this.#messages
        this.digest.number(message.length)
        if (this.#init.whole) {
          const what = this.#init.engine.describe?.(message) ?? `${message.length} bytes`
          this.#travelling.set(id, { from, to, what })
          this.#add({ type: 'sent', id, from, to, what })
        }
        return id
      },
      ended: (id, arrived) => {
        this.digest.number(arrived ? id : -id)
        const message = this.#travelling.get(id)
        if (message === undefined) return
        this.#travelling.delete(id)
        this.#add({ type: arrived ? 'received' : 'lost', id, ...message })
      },
    }
  }

  get messages(): number {
    return this.#messages
  }

  trace(nodes: readonly string[], clients: number): Trace {
    const events = this.#init.whole ? this.#events : this.#events.slice(-ring)
    return { nodes, clients, events }
  }

  #add(event: Untimed): void {
    this.#events.push({ ...event, at: this.#init.now() } as TraceEvent)
    if (!this.#init.whole && this.#events.length > 4 * ring) this.#events = this.#events.slice(-ring)
  }

  mark(mark: string, node?: NodeId): void {
    this.#add({ type: 'marked', mark, ...(node !== undefined && { node }) })
  }

  violation(invariant: string, what: string, nodes: readonly string[]): void {
    this.digest.add(`violation ${invariant} ${what}`)
    this.#add({ type: 'violation', invariant, what, nodes })
  }

  see(seen: Observation): void {
    switch (seen.type) {
      case 'started':
        this.digest.add(`started ${seen.node} ${seen.life}`)
        this.#roles.delete(seen.node)
        return this.#add({ type: 'started', node: seen.node, why: `life ${seen.life}` })
      case 'drained':
        return this.#drained(seen)
      case 'durable':
        return this.#add({ type: 'durable', node: seen.node, write: seen.write })
      case 'state':
        this.digest.add(`${seen.node} ${seen.position} ${seen.hash}`)
        if (seen.restored) this.#add({ type: 'restored', node: seen.node, position: seen.position })
        return
      case 'ended':
        this.digest.add(`ended ${seen.node} ${seen.how}`)
        return this.#add({
          type: seen.how === 'power' || seen.how === 'kill' ? 'crashed' : 'stopped',
          node: seen.node,
          why: seen.why,
        })
      case 'paused':
      case 'resumed':
        this.digest.add(`${seen.type} ${seen.node}`)
        return this.#add({ type: seen.type, node: seen.node })
      case 'fault': {
        const { fault, what, nodes, ends } = seen
        this.digest.add(what)
        return this.#add({ type: 'fault', fault: fault.type, id: fault.id, what, nodes, ...(ends && { ends }) })
      }
      case 'healed':
        this.digest.add('healed')
        return this.#add({ type: 'healed' })
      case 'invoked':
      case 'returned':
        this.digest.add(`${seen.type} ${seen.client} ${seen.what}`)
        return this.#add(seen)
      case 'changed':
        this.digest.add(`${seen.change} ${seen.node} ${seen.outcome}`)
        if (seen.outcome !== 'decided' || (seen.change !== 'add' && seen.change !== 'remove')) return
        return this.#add({ type: seen.change === 'add' ? 'joined' : 'removed', node: seen.node })
      case 'stepped':
      case 'applied':
      case 'locks':
      case 'retried':
      case 'refused':
      case 'acknowledged':
      case 'read':
      case 'finished':
        return
    }
  }

  #drained({ node, effects, status }: Extract<Observation, { type: 'drained' }>): void {
    const role = `${status.role} ${status.epoch}`
    if (this.#roles.get(node) !== role) {
      this.#roles.set(node, role)
      this.digest.add(`${node} ${role}`)
      this.#add({ type: 'role', node, role: status.role, epoch: status.epoch })
    }
    for (const op of effects.write?.ops ?? []) {
      if (op.type === 'put')
        this.#add({
          type: 'appended',
          node,
          slot: op.slot,
          what: this.#init.whole ? this.#entryWords(op.bytes) : '',
        })
      else if (op.type === 'truncateFrom') this.#add({ type: 'truncated', node, slot: op.slot })
    }
    for (const decided of effects.decide) {
      const what = decidedText(decided)
      this.digest.add(`${node} decided ${decided.position} ${what}`)
      this.#add({ type: 'decided', node, position: decided.position, what })
    }
  }

  #entryWords(bytes: readonly Uint8Array[]): string {
    const entry = concatChunks(bytes)
    const epoch = this.#init.entryEpoch?.(entry)
    return epoch === undefined ? `${entry.length} bytes` : `${entry.length} bytes of ${epoch}`
  }
}
