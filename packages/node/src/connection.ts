import {
  type ClientMessage,
  decodeClientMessage,
  encodeServerMessage,
  type GoodbyeReason,
  maxReadReplyBytes,
  maxReasonBytes,
  membershipFeature,
  protocolVersion,
  type Read,
  type ReadLevel,
  type ReadReply,
  type ServerMessage,
  servicesFeature,
} from '@conclave/client/protocol'
import { copyBytes, type Feed, MalformedBytes, type NodeId, unreachable } from '@conclave/interface'
import type { Changed, Served, ServedChannel, ServedMembership, Submitted } from './served.ts'

/** What one client may have outstanding; beyond it requests are refused as `overloaded`. */
export const connectionLimits = {
  blocks: 4096,
  blockBytes: 16 * 1024 * 1024,
  reads: 65_536,
  /** Bytes of answers to the reads of one message; the rest of them is refused. */
  readReplyBytes: 16 * 1024 * 1024,
  watches: 1024,
  /** Status requests in one turn of the event loop. */
  statuses: 64,
  /** Changes of the members, and wishes for another leader. */
  changes: 16,
  /** Calls to services, which may be held. */
  asks: 65_536,
  askBytes: 16 * 1024 * 1024,
  helloMillis: 10_000,
} as const

/** Bytes of one `readReplies` before another is started: one answer more still fits a message. */
const readRepliesBytes = 512 * 1024
/** Bytes of events asked of one feed at once, and sent in one turn to one client. */
const feedBytes = 64 * 1024
const pumpBytes = 1024 * 1024

interface WaitingAsk {
  readonly withdraw: () => void
  readonly bytes: number
}

export interface ConnectionInit {
  readonly channel: ServedChannel
  readonly served: Served
  readonly self: NodeId
  readonly cluster: string
  /** Called once. */
  readonly closed: () => void
}

/** The node's side of one client's channel. A message that does not parse closes it; nothing that a client does throws. */
export class ClientConnection {
  readonly #channel: ServedChannel
  readonly #served: Served
  readonly #self: NodeId
  readonly #cluster: string
  readonly #watches = new Map<number, Feed>()
  /** The calls to services that wait. */
  readonly #asks = new Map<number, WaitingAsk>()
  readonly #hello: NodeJS.Timeout
  #greeted = false
  #open = true
  #blocks = 0
  #blockBytes = 0
  #reads = 0
  #statuses = 0
  #changes = 0
  #askBytes = 0
  #features: number | undefined
  #pumping = false

  constructor({ channel, served, self, cluster, closed }: ConnectionInit) {
    this.#channel = channel
    this.#served = served
    this.#self = self
    this.#cluster = cluster
    this.#hello = setTimeout(() => this.#goodbye('malformed'), connectionLimits.helloMillis)
    this.#hello.unref()
    channel.onMessage((bytes) => this.#receive(bytes))
    channel.onDrain(() => this.pump())
    channel.onClose(() => {
      this.#end()
      closed()
    })
  }

  /** Pushes what the node knows of the leader. */
  tellLeader(): void {
    if (this.#greeted) this.#send({ type: 'leader', ...this.#served.leader() })
  }

  /** Pushes the members that the node knows. */
  tellMembers(): void {
    if (this.#greeted) this.#welcome()
  }

  /** Says goodbye and closes. Safe to call twice. */
  close(reason: GoodbyeReason = 'closing'): void {
    if (this.#open) this.#goodbye(reason)
  }

  /** Sends new events of every feed in the next turn, as far as the client takes them. */
  pump(): void {
    if (this.#pumping || this.#watches.size === 0) return
    this.#pumping = true
    setImmediate(() => {
      this.#pumping = false
      if (this.#open && this.#pumpOnce()) this.pump()
    })
  }

  /** True if more may be there for a client that takes it. */
  #pumpOnce(): boolean {
    let left = pumpBytes
    let found = true
    while (found && left > 0) {
      found = false
      for (const [id, feed] of this.#watches) {
        if (!this.#channel.writable) return false
        const events = feed.poll(feedBytes)
        if (events === undefined) continue
        found = true
        left -= events.length
        this.#send({ type: 'watchEvents', id, events })
      }
    }
    return found
  }

  #send(message: ServerMessage): void {
    if (this.#open) this.#channel.send(encodeServerMessage(message))
  }

  #goodbye(reason: GoodbyeReason): void {
    this.#send({ type: 'goodbye', reason })
    this.#end()
    this.#channel.close()
  }

  #end(): void {
    this.#open = false
    clearTimeout(this.#hello)
    for (const feed of this.#watches.values()) feed.close()
    this.#watches.clear()
    for (const ask of this.#asks.values()) ask.withdraw()
    this.#asks.clear()
  }

  #receive(bytes: Uint8Array): void {
    if (!this.#open) return
    try {
      const message = decodeClientMessage(bytes)
      if (this.#greeted) this.#dispatch(message)
      else this.#greet(message)
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error
      this.#goodbye('malformed')
    }
  }

  #greet(message: ClientMessage): void {
    if (message.type !== 'hello') return this.#goodbye('malformed')
    if (message.version !== protocolVersion) return this.#goodbye('version')
    if (message.cluster !== '' && message.cluster !== this.#cluster) return this.#goodbye('cluster')
    clearTimeout(this.#hello)
    this.#greeted = true
    // An older client reads a welcome without features, and says that it has none.
    const known = servicesFeature | (this.#served.membership === undefined ? 0 : membershipFeature)
    this.#features = message.features === 0 ? undefined : message.features & known
    this.#welcome()
  }

  #welcome(): void {
    this.#send({
      type: 'welcome',
      version: protocolVersion,
      node: this.#self,
      cluster: this.#cluster,
      leader: this.#served.leader(),
      members: this.#served.members(),
      ...(this.#features === undefined ? {} : { features: this.#features }),
    })
  }

  #dispatch(message: ClientMessage): void {
    switch (message.type) {
      case 'hello':
        return this.#goodbye('malformed')
      case 'submit':
        return this.#submit(message.blockId, message.block)
      case 'reads':
        return this.#read(message.level, message.reads)
      case 'watch':
        return this.#watch(message.id, message.machine, message.request)
      case 'unwatch':
        return this.#unwatch(message.id)
      case 'status':
        return this.#status(message.id)
      case 'ping':
        return this.#send({ type: 'pong' })
      case 'reconfigure':
        return this.#change(message.id, (served, done) => served.reconfigure(message.change, done))
      case 'transfer':
        return this.#change(message.id, (served, done) => done(served.transfer(message.to)))
      case 'members':
        return this.#members(message.id, message.level)
      case 'ask':
        return this.#ask(message.id, message.machine, message.request)
      case 'withdraw':
        return this.#withdraw(message.id)
      default:
        return unreachable(message)
    }
  }

  #submit(blockId: number, block: Uint8Array): void {
    const { length } = block
    if (this.#blocks >= connectionLimits.blocks || this.#blockBytes + length > connectionLimits.blockBytes) {
      return this.#send({ type: 'outcome', blockId, outcome: 'overloaded' })
    }
    const answer = (result: Submitted): void => {
      this.#blocks -= 1
      this.#blockBytes -= length
      if ('replies' in result) this.#send({ type: 'replies', blockId, replies: result.replies })
      else this.#send({ type: 'outcome', blockId, outcome: result.outcome })
    }
    this.#served.submit(block, answer, this.#channel.peer)
    this.#blocks += 1
    this.#blockBytes += length
  }

  #read(level: ReadLevel, reads: readonly Read[]): void {
    const { length } = reads
    if (this.#reads + length > connectionLimits.reads) {
      return this.#answer(reads.map(({ id }) => ({ id, refused: 'overloaded' })))
    }
    this.#reads += length
    this.#served.read(level, (refused) => {
      this.#reads -= length
      if (!this.#open) return
      if (refused !== undefined) this.#answer(reads.map(({ id }) => ({ id, refused })))
      else this.#query(reads)
    })
  }

  #query(reads: readonly Read[]): void {
    let left = connectionLimits.readReplyBytes
    let replies: ReadReply[] = []
    let bytes = 0
    for (const read of reads) {
      const reply =
        left > 0 && !this.#channel.congested ? this.#queryOne(read) : { id: read.id, refused: 'overloaded' as const }
      const size = 'reply' in reply ? reply.reply.length + 9 : 5
      if (bytes > 0 && bytes + size > readRepliesBytes) {
        this.#answer(replies)
        replies = []
        bytes = 0
      }
      replies.push(reply)
      bytes += size
      left -= size
    }
    this.#answer(replies)
  }

  #queryOne({ id, machine, query }: Read): ReadReply {
    const reply = this.#served.query(machine, query)
    // While a snapshot replaces the machines there is nothing to ask; a moment later there is.
    if (reply === undefined) return { id, refused: this.#served.restoring() ? 'not-ready' : 'unsupported' }
    return reply.length > maxReadReplyBytes ? { id, refused: 'invalid' } : { id, reply }
  }

  #answer(replies: readonly ReadReply[]): void {
    if (replies.length > 0) this.#send({ type: 'readReplies', replies })
  }

  #change(id: number, ask: (served: ServedMembership, done: (result: Changed) => void) => void): void {
    const { membership } = this.#served
    const answer = ({ outcome, reason = '' }: Changed): void =>
      this.#send({ type: 'changed', id, outcome, reason: reason.slice(0, maxReasonBytes / 4) })
    if (membership === undefined) return answer({ outcome: 'unsupported' })
    if (this.#changes >= connectionLimits.changes) return answer({ outcome: 'overloaded' })
    this.#changes += 1
    ask(membership, (result) => {
      this.#changes -= 1
      answer(result)
    })
  }

  #members(id: number, level: ReadLevel): void {
    const { membership } = this.#served
    if (membership === undefined) return this.#send({ type: 'members', id, refused: 'unsupported' })
    if (this.#reads >= connectionLimits.reads) return this.#send({ type: 'members', id, refused: 'overloaded' })
    this.#reads += 1
    this.#served.read(level, (refused) => {
      this.#reads -= 1
      if (refused !== undefined) return this.#send({ type: 'members', id, refused })
      this.#send({ type: 'members', id, epoch: this.#served.leader().epoch, membership: membership.present() })
    })
  }

  #watch(id: number, machine: number, request: Uint8Array): void {
    if (this.#watches.has(id)) return this.#goodbye('malformed')
    if (this.#watches.size >= connectionLimits.watches) {
      return this.#send({ type: 'watchEnded', id, reason: 'overloaded' })
    }
    // The feed may keep its request, which is a view on a whole frame.
    const feed = this.#served.watch(machine, copyBytes(request))
    if (feed === undefined) {
      const reason = this.#served.restoring() ? 'overloaded' : 'unsupported'
      return this.#send({ type: 'watchEnded', id, reason })
    }
    this.#watches.set(id, feed)
    this.pump()
  }

  #unwatch(id: number): void {
    this.#watches.get(id)?.close()
    this.#watches.delete(id)
  }

  #ask(id: number, machine: number, request: Uint8Array): void {
    const { length } = request
    if (this.#asks.has(id)) return this.#goodbye('malformed')
    if (this.#asks.size >= connectionLimits.asks || this.#askBytes + length > connectionLimits.askBytes) {
      return this.#send({ type: 'answer', id, refused: 'overloaded' })
    }
    // The service may keep the request, which is a view on a whole frame.
    const withdraw = this.#served.ask(machine, this.#channel.peer, copyBytes(request), (result) => {
      this.#forgetAsk(id)
      const tooLong = 'reply' in result && result.reply.length > maxReadReplyBytes
      this.#send({ type: 'answer', id, ...(tooLong ? { refused: 'invalid' } : result) })
    })
    this.#asks.set(id, { withdraw, bytes: length })
    this.#askBytes += length
  }

  #withdraw(id: number): void {
    this.#asks.get(id)?.withdraw()
    this.#forgetAsk(id)
  }

  #forgetAsk(id: number): void {
    this.#askBytes -= this.#asks.get(id)?.bytes ?? 0
    this.#asks.delete(id)
  }

  #status(id: number): void {
    if (this.#statuses === 0) setImmediate(() => (this.#statuses = 0))
    this.#statuses += 1
    if (this.#statuses > connectionLimits.statuses) return this.#goodbye('overloaded')
    this.#send({ type: 'status', id, json: this.#served.status() })
  }
}
