import { type MalformedBytes, type MembershipChange, type NodeId, type Refusal, unreachable } from '@conclave/interface'
import type { Channel } from './channel.ts'
import {
  type ClientMessage,
  decodeServerMessage,
  encodeClientMessage,
  type LeaderNews,
  type MembershipNews,
  membershipFeature,
  type NodeStatus,
  protocolVersion,
  type Read,
  type ReadLevel,
  type ServerMessage,
  servicesFeature,
  type WatchEndReason,
} from './protocol.ts'

export type Welcome = ServerMessage & { readonly type: 'welcome' }

/** `lost`: the connection ended before the answer. */
export type BlockResult =
  | { readonly type: 'replies'; readonly replies: Uint8Array }
  | { readonly type: 'refused'; readonly reason: Refusal }
  | { readonly type: 'unknown' }
  | { readonly type: 'lost' }

export type ReadResult =
  | { readonly type: 'reply'; readonly reply: Uint8Array }
  | { readonly type: 'refused'; readonly reason: Refusal }
  | { readonly type: 'lost' }

export type ChangeResult =
  | { readonly type: 'done' }
  | { readonly type: 'refused'; readonly reason: Refusal; readonly text: string }
  | { readonly type: 'unknown' }
  | { readonly type: 'lost' }

export type MembersResult =
  | ({ readonly type: 'members' } & MembershipNews)
  | { readonly type: 'refused'; readonly reason: Refusal }
  | { readonly type: 'lost' }

export type AskResult =
  | { readonly type: 'reply'; readonly reply: Uint8Array }
  | { readonly type: 'refused'; readonly reason: Refusal }
  | { readonly type: 'lost' }

export interface PendingRead {
  readonly machine: number
  readonly query: Uint8Array
  /** Called once for each connection that it was handed to. */
  answered(result: ReadResult, from: Connection): void
}

export interface WatchListener {
  events(bytes: Uint8Array): void
  /** Called once, unless stopped before. */
  ended(reason: WatchEndReason | 'lost'): void
}

export interface ConnectionEvents {
  welcomed(connection: Connection, welcome: Welcome): void
  learned(news: LeaderNews): void
  /** Called once. */
  closed(connection: Connection, error: Error): void
}

/** Bytes of the reads of one message: well below what a message may have. */
const readsBytes = 256 * 1024

const u32 = (value: number): number => value >>> 0

/** One channel to one node, from the hello on: matches answers to requests. */
export class Connection {
  readonly node: NodeId
  readonly #channel: Channel
  readonly #events: ConnectionEvents
  readonly #blocks = new Map<number, (result: BlockResult) => void>()
  readonly #reads = new Map<number, PendingRead>()
  readonly #watches = new Map<number, WatchListener>()
  readonly #statuses = new Map<number, (status: NodeStatus | undefined) => void>()
  readonly #changes = new Map<number, (result: ChangeResult) => void>()
  readonly #members = new Map<number, (result: MembersResult) => void>()
  readonly #asks = new Map<number, (result: AskResult) => void>()
  #readBytes = 0
  #nextId = 0
  #welcomed = false
  #features = 0
  #open = true
  /** Pings since anything was heard. */
  #silence = 0

  constructor(channel: Channel, cluster: string, events: ConnectionEvents) {
    this.node = channel.peer
    this.#channel = channel
    this.#events = events
    channel.onMessage((bytes) => this.#receive(bytes))
    channel.onClose((error) => this.#end(error ?? new Error('the node closed the connection')))
    this.#send({ type: 'hello', version: protocolVersion, features: membershipFeature | servicesFeature, cluster })
  }

  /** The node has said welcome, and the connection lives. */
  get ready(): boolean {
    return this.#welcomed && this.#open
  }
  /** The node takes `reconfigure`, `transfer` and `members`. */
  get knowsMembership(): boolean {
    return (this.#features & membershipFeature) !== 0
  }
  /** The node takes `ask` and `withdraw`. */
  get knowsServices(): boolean {
    return (this.#features & servicesFeature) !== 0
  }
  get blocks(): number {
    return this.#blocks.size
  }
  get reads(): number {
    return this.#reads.size
  }
  /** Bytes of the queries that are not answered. */
  get readBytes(): number {
    return this.#readBytes
  }

  #send(message: ClientMessage): void {
    if (this.#open) this.#channel.send(encodeClientMessage(message))
  }

  #id(): number {
    this.#nextId = u32(this.#nextId + 1)
    return this.#nextId
  }

  /** Only while `ready`. `settle` is called once, never within this call. */
  submit(block: Uint8Array, settle: (result: BlockResult) => void): void {
    const blockId = this.#id()
    this.#blocks.set(blockId, settle)
    this.#send({ type: 'submit', blockId, block })
  }

  /** Only while `ready`. Each read is settled once, never within this call. */
  read(level: ReadLevel, pending: readonly PendingRead[]): void {
    let reads: Read[] = []
    let bytes = 0
    for (const read of pending) {
      const id = this.#id()
      this.#reads.set(id, read)
      reads.push({ id, machine: read.machine, query: read.query })
      bytes += read.query.length
      if (bytes < readsBytes) continue
      this.#send({ type: 'reads', level, reads })
      this.#readBytes += bytes
      reads = []
      bytes = 0
    }
    if (reads.length > 0) this.#send({ type: 'reads', level, reads })
    this.#readBytes += bytes
  }

  /** @returns what stops the feed; nothing is told any more afterwards. */
  watch(machine: number, request: Uint8Array, listener: WatchListener): () => void {
    const id = this.#id()
    this.#watches.set(id, listener)
    this.#send({ type: 'watch', id, machine, request })
    return () => {
      if (this.#watches.delete(id)) this.#send({ type: 'unwatch', id })
    }
  }

  /** @param settle is called once, with undefined if the connection ends or the answer is none. */
  status(settle: (status: NodeStatus | undefined) => void): void {
    const id = this.#id()
    this.#statuses.set(id, settle)
    this.#send({ type: 'status', id })
  }

  /** Only while `ready`, and if the node `knowsMembership`; as the next two. `settle` is called once, never within this call. */
  reconfigure(change: MembershipChange, settle: (result: ChangeResult) => void): void {
    const id = this.#id()
    this.#changes.set(id, settle)
    this.#send({ type: 'reconfigure', id, change })
  }

  /** `done` says that the engine was asked. */
  transfer(to: NodeId, settle: (result: ChangeResult) => void): void {
    const id = this.#id()
    this.#changes.set(id, settle)
    this.#send({ type: 'transfer', id, to })
  }

  members(level: ReadLevel, settle: (result: MembersResult) => void): void {
    const id = this.#id()
    this.#members.set(id, settle)
    this.#send({ type: 'members', id, level })
  }

  /** Only while `ready`, and if the node `knowsServices`. @returns what withdraws the call; `settle` is called once, unless it was withdrawn. */
  ask(machine: number, request: Uint8Array, settle: (result: AskResult) => void): () => void {
    const id = this.#id()
    this.#asks.set(id, settle)
    this.#send({ type: 'ask', id, machine, request })
    return () => {
      if (this.#asks.delete(id)) this.#send({ type: 'withdraw', id })
    }
  }

  /** Asks for a sign of life; gives the connection up if the last two pings had none. */
  ping(): void {
    if (this.#silence >= 2) return this.close(new Error('the node does not answer'))
    this.#silence += 1
    this.#send({ type: 'ping' })
  }

  /** Safe to call twice. What is outstanding is lost. */
  close(error: Error): void {
    this.#channel.close()
    this.#end(error)
  }

  #end(error: Error): void {
    if (!this.#open) return
    this.#open = false
    const blocks = [...this.#blocks.values()]
    const reads = [...this.#reads.values()]
    const watches = [...this.#watches.values()]
    const statuses = [...this.#statuses.values()]
    const others = [...this.#changes.values(), ...this.#members.values(), ...this.#asks.values()]
    for (const map of [
      this.#blocks,
      this.#reads,
      this.#watches,
      this.#statuses,
      this.#changes,
      this.#members,
      this.#asks,
    ])
      map.clear()
    // Told first, so that nothing that is lost is sent here again.
    this.#events.closed(this, error)
    for (const settle of blocks) settle({ type: 'lost' })
    for (const read of reads) read.answered({ type: 'lost' }, this)
    for (const watch of watches) watch.ended('lost')
    for (const settle of statuses) settle(undefined)
    for (const settle of others) settle({ type: 'lost' })
  }

  #receive(bytes: Uint8Array): void {
    if (!this.#open) return
    this.#silence = 0
    let message: ServerMessage
    try {
      message = decodeServerMessage(bytes)
    } catch (error) {
      return this.close(error as MalformedBytes)
    }
    if (!this.#welcomed && message.type !== 'welcome' && message.type !== 'goodbye') {
      return this.close(new Error(`the node said ${message.type} before its welcome`))
    }
    this.#dispatch(message)
  }

  #dispatch(message: ServerMessage): void {
    switch (message.type) {
      case 'welcome':
        this.#welcomed = true
        this.#features = message.features ?? 0
        return this.#events.welcomed(this, message)
      case 'leader':
        return this.#events.learned(message)
      case 'replies':
        return this.#settleBlock(message.blockId, { type: 'replies', replies: message.replies })
      case 'outcome': {
        const { outcome } = message
        return this.#settleBlock(
          message.blockId,
          outcome === 'unknown' ? { type: 'unknown' } : { type: 'refused', reason: outcome },
        )
      }
      case 'readReplies':
        for (const reply of message.replies) {
          const read = this.#reads.get(reply.id)
          this.#reads.delete(reply.id)
          this.#readBytes -= read?.query.length ?? 0
          if ('reply' in reply) read?.answered({ type: 'reply', reply: reply.reply }, this)
          else read?.answered({ type: 'refused', reason: reply.refused }, this)
        }
        return
      case 'watchEvents':
        return this.#watches.get(message.id)?.events(message.events)
      case 'watchEnded': {
        const watch = this.#watches.get(message.id)
        this.#watches.delete(message.id)
        return watch?.ended(message.reason)
      }
      case 'status':
        return this.#settleStatus(message.id, message.json)
      case 'changed': {
        const { outcome, reason: text } = message
        const settle = this.#changes.get(message.id)
        this.#changes.delete(message.id)
        return settle?.(
          outcome === 'done' || outcome === 'unknown' ? { type: outcome } : { type: 'refused', reason: outcome, text },
        )
      }
      case 'members': {
        const settle = this.#members.get(message.id)
        this.#members.delete(message.id)
        if ('refused' in message) return settle?.({ type: 'refused', reason: message.refused })
        return settle?.({ type: 'members', epoch: message.epoch, membership: message.membership })
      }
      case 'answer': {
        const settle = this.#asks.get(message.id)
        this.#asks.delete(message.id)
        if ('refused' in message) return settle?.({ type: 'refused', reason: message.refused })
        return settle?.({ type: 'reply', reply: message.reply })
      }
      case 'pong':
        return
      case 'goodbye':
        return this.close(new Error(`the node said goodbye: ${message.reason}`))
      default:
        return unreachable(message)
    }
  }

  #settleBlock(blockId: number, result: BlockResult): void {
    const settle = this.#blocks.get(blockId)
    this.#blocks.delete(blockId)
    settle?.(result)
  }

  #settleStatus(id: number, json: string): void {
    const settle = this.#statuses.get(id)
    this.#statuses.delete(id)
    let status: unknown
    try {
      status = JSON.parse(json)
    } catch {
      // A status is for people: one that does not parse counts as none.
    }
    settle?.(typeof status === 'object' && status !== null ? (status as NodeStatus) : undefined)
  }
}
