import {
  type ClientMessage,
  decodeServerMessage,
  encodeClientMessage,
  membershipFeature,
  protocolVersion,
  type ServerMessage,
  servicesFeature,
} from '@conclave/client/protocol'
import { type Chunks, concatChunks, type Epoch, type Feed, type MembershipChange, nodeId } from '@conclave/interface'
import { beforeEach, describe, expect, test } from 'vitest'
import { ClientConnection, type ConnectionInit, connectionLimits } from '../src/connection.ts'
import type { Asked, Changed, Served, ServedChannel, Submitted } from '../src/served.ts'

/** The client's end, as the connection sees it. */
class FakeChannel implements ServedChannel {
  readonly peer = nodeId('client')
  writable = true
  congested = false
  open = true
  readonly told: ServerMessage[] = []
  deliver: (message: Uint8Array) => void = () => {}
  drained: () => void = () => {}
  #closed: () => void = () => {}

  send(message: Chunks): void {
    this.told.push(decodeServerMessage(concatChunks(message)))
  }
  onMessage(handle: (message: Uint8Array) => void): void {
    this.deliver = handle
  }
  onDrain(handle: () => void): void {
    this.drained = handle
  }
  onClose(handle: () => void): void {
    this.#closed = handle
  }
  close(): void {
    this.open = false
    this.#closed()
  }
  say(message: ClientMessage): void {
    this.deliver(concatChunks(encodeClientMessage(message)))
  }
}

const hello: ClientMessage = { type: 'hello', version: protocolVersion, features: 0, cluster: 'c' }
const bytes = (length: number): Uint8Array => new Uint8Array(length)

let channel: FakeChannel
let connectionInit: ConnectionInit
let submitted: ((result: Submitted) => void)[]
let submitters: string[]
let asked: {
  readonly machine: number
  readonly principal: string
  readonly request: Uint8Array
  readonly done: (result: Asked) => void
  withdrawn: number
}[]
let pendingReads: (() => void)[]
let feedEvents: Uint8Array[]
let restoring: boolean
let ended: number
let changes: { readonly change: MembershipChange; readonly done: (result: Changed) => void }[]

beforeEach(() => {
  channel = new FakeChannel()
  submitted = []
  submitters = []
  asked = []
  pendingReads = []
  feedEvents = []
  restoring = false
  ended = 0
  changes = []
  const feed: Feed = { poll: () => feedEvents.shift(), close: () => {} }
  const served: Served = {
    submit: (_, done, principal) => {
      submitted.push(done)
      submitters.push(principal)
    },
    ask: (machine, principal, request, done) => {
      const call = { machine, principal, request, done, withdrawn: 0 }
      asked.push(call)
      return () => {
        call.withdrawn += 1
      }
    },
    read: (_, done) => void pendingReads.push(done),
    query: (machine, query) => (machine === 1 && !restoring ? query : undefined),
    watch: () => (restoring ? undefined : feed),
    restoring: () => restoring,
    leader: () => ({ epoch: 3n as Epoch, addresses: [] }),
    members: () => [],
    status: () => '{}',
    membership: {
      reconfigure: (change, done) => void changes.push({ change, done }),
      transfer: (to) => (to === 'x' ? { outcome: 'done' } : { outcome: 'invalid', reason: `not to ${to}` }),
      present: () => ({ members: [{ id: nodeId('n'), name: 'n', addresses: [], role: 'voter' }] }),
    },
  }
  connectionInit = { channel, served, self: nodeId('n'), cluster: 'c', closed: () => (ended += 1) }
  new ClientConnection(connectionInit)
})

const last = (): ServerMessage | undefined => channel.told.at(-1)
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a greeting', () => {
  test('is answered with a welcome', () => {
    channel.say(hello)
    expect(last()).toMatchObject({ type: 'welcome', node: 'n', cluster: 'c', leader: { epoch: 3n } })
  })

  test.each([
    ['another version', { ...hello, version: 9 }, 'version'],
    ['another cluster', { ...hello, cluster: 'other' }, 'cluster'],
    ['no greeting at all', { type: 'ping' } as const, 'malformed'],
  ])('of %s ends the connection', (_, message, reason) => {
    channel.say(message as ClientMessage)
    expect(last()).toEqual({ type: 'goodbye', reason })
    expect([channel.open, ended]).toEqual([false, 1])
  })
})

describe('a greeted client', () => {
  beforeEach(() => channel.say(hello))

  test('that sends garbage is cut, and heard no more', () => {
    channel.deliver(new Uint8Array([99, 1, 2]))
    expect(last()).toEqual({ type: 'goodbye', reason: 'malformed' })
    channel.say({ type: 'ping' })
    expect(last()).toEqual({ type: 'goodbye', reason: 'malformed' })
  })

  test('gets one answer to each block', () => {
    channel.say({ type: 'submit', blockId: 1, block: bytes(30) })
    channel.say({ type: 'submit', blockId: 2, block: bytes(30) })
    submitted[1]?.({ outcome: 'not-leader' })
    expect(last()).toEqual({ type: 'outcome', blockId: 2, outcome: 'not-leader' })
    submitted[0]?.({ replies: bytes(3) })
    expect(last()).toEqual({ type: 'replies', blockId: 1, replies: bytes(3) })
    expect(submitters).toEqual(['client', 'client'])
  })

  test('has a bound on what is under way, and room again when it is answered', () => {
    for (let id = 0; id < connectionLimits.blocks; id++) channel.say({ type: 'submit', blockId: id, block: bytes(20) })
    channel.say({ type: 'submit', blockId: 9999, block: bytes(20) })
    expect(last()).toEqual({ type: 'outcome', blockId: 9999, outcome: 'overloaded' })
    submitted[0]?.({ outcome: 'unknown' })
    channel.say({ type: 'submit', blockId: 10_000, block: bytes(20) })
    expect(submitted).toHaveLength(connectionLimits.blocks + 1)
  })

  test('gets all answers to the reads of a message together, in messages of a bounded size', () => {
    const reads = Array.from({ length: 20 }, (_, id) => ({ id, machine: 1, query: bytes(60_000) }))
    channel.say({ type: 'reads', level: 'linearizable', reads })
    const before = channel.told.length
    pendingReads[0]?.()
    const answers = channel.told.slice(before)
    expect(answers.length).toBeGreaterThan(1)
    expect(
      answers.flatMap((answer) => (answer.type === 'readReplies' ? answer.replies.map(({ id }) => id) : [])),
    ).toEqual(reads.map(({ id }) => id))
  })

  test('is told when a machine does not exist, and when it only cannot be asked now', () => {
    const ask = (machine: number): ServerMessage | undefined => {
      channel.say({ type: 'reads', level: 'local', reads: [{ id: 1, machine, query: bytes(1) }] })
      pendingReads.pop()?.()
      return last()
    }
    expect(ask(7)).toMatchObject({ replies: [{ id: 1, refused: 'unsupported' }] })
    restoring = true
    expect(ask(1)).toMatchObject({ replies: [{ id: 1, refused: 'not-ready' }] })
  })

  test('gets the events of its watch only as fast as it takes them', async () => {
    feedEvents = [bytes(1), bytes(2), bytes(3)]
    channel.writable = false
    channel.say({ type: 'watch', id: 5, machine: 1, request: bytes(1) })
    await turn()
    expect(channel.told.filter(({ type }) => type === 'watchEvents')).toHaveLength(0)
    channel.writable = true
    channel.drained()
    await turn()
    expect(channel.told.filter(({ type }) => type === 'watchEvents')).toHaveLength(3)
  })

  test('that asks for too many watches is told so', () => {
    for (let id = 0; id < connectionLimits.watches; id++)
      channel.say({ type: 'watch', id, machine: 1, request: bytes(1) })
    channel.say({ type: 'watch', id: 70_000, machine: 1, request: bytes(1) })
    expect(last()).toEqual({ type: 'watchEnded', id: 70_000, reason: 'overloaded' })
  })
})

describe('a client that knows of members', () => {
  const change: MembershipChange = { type: 'remove', id: nodeId('m') }

  test('is told so in its welcome; one of before gets the welcome of before', () => {
    channel.say({ ...hello, features: 0xff })
    expect(last()).toMatchObject({ type: 'welcome', features: membershipFeature | servicesFeature })
    const older = new FakeChannel()
    new ClientConnection({ ...connectionInit, channel: older })
    older.say(hello)
    expect(older.told[0]).not.toHaveProperty('features')
  })

  test('gets one answer to each change and each wish for another leader', () => {
    channel.say({ ...hello, features: membershipFeature })
    channel.say({ type: 'reconfigure', id: 7, change })
    expect(changes.map((asked) => asked.change)).toEqual([change])
    changes[0]?.done({ outcome: 'unknown' })
    expect(last()).toEqual({ type: 'changed', id: 7, outcome: 'unknown', reason: '' })
    channel.say({ type: 'transfer', id: 8, to: nodeId('x') })
    expect(last()).toEqual({ type: 'changed', id: 8, outcome: 'done', reason: '' })
    channel.say({ type: 'transfer', id: 9, to: nodeId('y') })
    expect(last()).toEqual({ type: 'changed', id: 9, outcome: 'invalid', reason: 'not to y' })
  })

  test('has a bound on the changes under way', () => {
    channel.say(hello)
    for (let id = 0; id <= connectionLimits.changes; id++) channel.say({ type: 'reconfigure', id, change })
    expect(last()).toMatchObject({ type: 'changed', id: connectionLimits.changes, outcome: 'overloaded' })
    expect(changes).toHaveLength(connectionLimits.changes)
  })

  test('is told the members when they are as fresh as it asked', () => {
    channel.say(hello)
    channel.say({ type: 'members', id: 3, level: 'linearizable' })
    expect(last()?.type).toBe('welcome')
    pendingReads[0]?.()
    expect(last()).toMatchObject({ type: 'members', id: 3, epoch: 3n, membership: { members: [{ id: 'n' }] } })
  })

  test('is refused where there is no such service', () => {
    const { membership: _, ...without } = connectionInit.served
    const other = new FakeChannel()
    new ClientConnection({ ...connectionInit, channel: other, served: without })
    other.say({ ...hello, features: membershipFeature })
    expect(other.told[0]).toMatchObject({ features: 0 })
    other.say({ type: 'reconfigure', id: 1, change })
    other.say({ type: 'members', id: 2, level: 'local' })
    expect(other.told.slice(1)).toEqual([
      { type: 'changed', id: 1, outcome: 'unsupported', reason: '' },
      { type: 'members', id: 2, refused: 'unsupported' },
    ])
  })
})

describe('a client that asks services', () => {
  const ask = (id: number, length = 1): void => channel.say({ type: 'ask', id, machine: 2, request: bytes(length) })

  beforeEach(() => channel.say({ ...hello, features: servicesFeature }))

  test('gets one answer to each call, in whatever order, and is known by its key', () => {
    ask(1)
    ask(2)
    expect(asked.map(({ machine, principal }) => ({ machine, principal }))).toEqual(
      Array(2).fill({ machine: 2, principal: 'client' }),
    )
    asked[1]?.done({ reply: bytes(3) })
    expect(last()).toEqual({ type: 'answer', id: 2, reply: bytes(3) })
    asked[0]?.done({ refused: 'not-leader' })
    expect(last()).toEqual({ type: 'answer', id: 1, refused: 'not-leader' })
  })

  test('may keep its frame: the service gets bytes of its own', () => {
    const frame = concatChunks(encodeClientMessage({ type: 'ask', id: 1, machine: 2, request: Uint8Array.of(7, 8) }))
    channel.deliver(frame)
    frame.fill(0)
    expect(asked[0]?.request).toEqual(Uint8Array.of(7, 8))
  })

  test('withdraws a call once, and may use its id again', () => {
    ask(1)
    channel.say({ type: 'withdraw', id: 1 })
    channel.say({ type: 'withdraw', id: 1 })
    expect(asked[0]?.withdrawn).toBe(1)
    ask(1)
    asked[1]?.done({ reply: bytes(1) })
    expect(last()).toEqual({ type: 'answer', id: 1, reply: bytes(1) })
    channel.say({ type: 'withdraw', id: 1 })
    expect(asked.map(({ withdrawn }) => withdrawn)).toEqual([1, 0])
  })

  test('that goes takes its calls with it', () => {
    ask(1)
    ask(2)
    asked[0]?.done({ reply: bytes(1) })
    channel.close()
    expect(asked.map(({ withdrawn }) => withdrawn)).toEqual([0, 1])
  })

  test('that uses the id of a call that waits is cut', () => {
    ask(1)
    ask(1)
    expect(last()).toEqual({ type: 'goodbye', reason: 'malformed' })
    expect(asked.map(({ withdrawn }) => withdrawn)).toEqual([1])
  })

  test('has a bound on the number of calls that wait, and room again when one is answered', () => {
    for (let id = 0; id <= connectionLimits.asks; id++) ask(id)
    expect(last()).toEqual({ type: 'answer', id: connectionLimits.asks, refused: 'overloaded' })
    asked[0]?.done({ reply: bytes(1) })
    ask(0)
    expect(asked).toHaveLength(connectionLimits.asks + 1)
  })

  test('has a bound on their bytes, and room again when one is withdrawn', () => {
    const each = 512 * 1024
    const most = connectionLimits.askBytes / each
    for (let id = 0; id <= most; id++) ask(id, each)
    expect(last()).toEqual({ type: 'answer', id: most, refused: 'overloaded' })
    channel.say({ type: 'withdraw', id: 0 })
    ask(most, each)
    expect(asked).toHaveLength(most + 1)
  })

  test('is told when an answer is too long for a message', () => {
    ask(1)
    asked[0]?.done({ reply: bytes(2 * 1024 * 1024) })
    expect(last()).toEqual({ type: 'answer', id: 1, refused: 'invalid' })
  })
})
