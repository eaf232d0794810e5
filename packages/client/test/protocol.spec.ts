import { concatChunks, type Epoch, encodeBlock, MalformedBytes, nodeId } from '@conclave/interface'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type ClientMessage,
  decodeClientMessage,
  decodeServerMessage,
  encodeClientMessage,
  encodeServerMessage,
  maxAskBytes,
  maxMessageBytes,
  maxReadReplyBytes,
  type ServerMessage,
} from '../src/protocol.ts'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const hex = (message: readonly Uint8Array[]): string => Buffer.concat(message).toString('hex')

const leader = { epoch: 258n as Epoch, id: nodeId('n1'), addresses: ['/ip4/127.0.0.1/tcp/1'] }

const peer = { id: nodeId('n2'), name: '2b', addresses: ['a'] }

const clientMessages: [ClientMessage, string][] = [
  [{ type: 'hello', version: 1, features: 0, cluster: 'c' }, '0101000000000100000063'],
  [
    { type: 'submit', blockId: 7, block: encodeBlock(1n, 2, [{ serial: 3, machine: 1, bytes: bytes(9) }]) },
    '020700000001000000000000000200000000000000010000000300000000000000010100000009',
  ],
  [
    { type: 'reads', level: 'lease', reads: [{ id: 5, machine: 1, query: bytes(4) }] },
    '03010100000005000000010100000004',
  ],
  [{ type: 'watch', id: 6, machine: 1, request: bytes(1, 2) }, '0406000000010102'],
  [{ type: 'unwatch', id: 6 }, '0506000000'],
  [{ type: 'status', id: 8 }, '0608000000'],
  [{ type: 'ping' }, '07'],
  [
    { type: 'reconfigure', id: 9, change: { type: 'add', member: { ...peer }, role: 'voter' } },
    '080900000001020000006e3202000000326201010000006101',
  ],
  [{ type: 'reconfigure', id: 9, change: { type: 'promote', id: nodeId('n2') } }, '080900000002020000006e32'],
  [{ type: 'reconfigure', id: 9, change: { type: 'remove', id: nodeId('n2') } }, '080900000003020000006e32'],
  [
    { type: 'reconfigure', id: 9, change: { type: 'update', member: peer } },
    '080900000004020000006e32020000003262010100000061',
  ],
  [{ type: 'transfer', id: 10, to: nodeId('n2') }, '090a000000020000006e32'],
  [{ type: 'members', id: 11, level: 'local' }, '0a0b00000002'],
  [{ type: 'ask', id: 12, machine: 2, request: bytes(1, 2) }, '0b0c000000020102'],
  [{ type: 'ask', id: 12, machine: 2, request: bytes() }, '0b0c00000002'],
  [{ type: 'withdraw', id: 12 }, '0c0c000000'],
]

const serverMessages: [ServerMessage, string][] = [
  [
    {
      type: 'welcome',
      version: 1,
      node: nodeId('n1'),
      cluster: 'c',
      leader: { epoch: 1n as Epoch, addresses: [] },
      members: [{ id: nodeId('n1'), name: 'one', addresses: ['/a'] }],
    },
    '8101020000006e3101000000630100000000000000000000000001020000006e31030000006f6e6501020000002f61',
  ],
  [{ type: 'leader', ...leader }, '820201000000000000020000006e3101140000002f6970342f3132372e302e302e312f7463702f31'],
  [{ type: 'replies', blockId: 7, replies: bytes(1, 2) }, '83070000000102'],
  [{ type: 'outcome', blockId: 7, outcome: 'unknown' }, '840700000000'],
  [{ type: 'outcome', blockId: 7, outcome: 'overloaded' }, '840700000002'],
  [
    {
      type: 'readReplies',
      replies: [
        { id: 5, reply: bytes(9) },
        { id: 6, refused: 'not-leader' },
      ],
    },
    '8502000000050000000001000000090600000001',
  ],
  [{ type: 'watchEvents', id: 6, events: bytes(3) }, '860600000003'],
  [{ type: 'watchEnded', id: 6, reason: 'overloaded' }, '870600000002'],
  [{ type: 'status', id: 8, json: '{}' }, '8808000000020000007b7d'],
  [{ type: 'pong' }, '89'],
  [{ type: 'goodbye', reason: 'cluster' }, '8a02'],
  [
    {
      type: 'welcome',
      version: 1,
      node: nodeId('n1'),
      cluster: 'c',
      leader: { epoch: 1n as Epoch, addresses: [] },
      members: [],
      features: 1,
    },
    '8101020000006e310100000063010000000000000000000000000001000000',
  ],
  [{ type: 'changed', id: 9, outcome: 'done', reason: '' }, '8b09000000ff00000000'],
  [{ type: 'changed', id: 9, outcome: 'unknown', reason: '' }, '8b090000000000000000'],
  [{ type: 'changed', id: 9, outcome: 'invalid', reason: 'no' }, '8b0900000006020000006e6f'],
  [{ type: 'answer', id: 12, reply: bytes(3, 4) }, '8d0c000000000304'],
  [{ type: 'answer', id: 12, reply: bytes() }, '8d0c00000000'],
  [{ type: 'answer', id: 12, refused: 'not-leader' }, '8d0c00000001'],
  [{ type: 'members', id: 11, refused: 'not-leader' }, '8c0b00000001'],
  [
    {
      type: 'members',
      id: 11,
      epoch: 3n as Epoch,
      membership: {
        members: [
          { ...peer, role: 'voter' },
          { ...peer, id: nodeId('n3'), role: 'learner', promote: true },
        ],
        outgoing: [nodeId('n2')],
        removed: [nodeId('n1')],
      },
    },
    '8c0b0000000003000000000000000202000000' +
      '6e32020000003262010100000061' +
      '01020000006e3302000000326201010000006103' +
      '0100020000006e320100020000006e31',
  ],
]

// These bytes are what other versions speak: a change is a new protocol version, not a new expectation.
describe('golden bytes', () => {
  test.each(clientMessages)('client: $type', (message, golden) => {
    expect(hex(encodeClientMessage(message))).toBe(golden)
    expect(decodeClientMessage(concatChunks(encodeClientMessage(message)))).toEqual(message)
  })
  test.each(serverMessages)('server: $type', (message, golden) => {
    expect(hex(encodeServerMessage(message))).toBe(golden)
    expect(decodeServerMessage(concatChunks(encodeServerMessage(message)))).toEqual(message)
  })
})

describe('what does not parse is malformed, whatever it is', () => {
  const all = [...clientMessages, ...serverMessages].map(([, golden]) => Uint8Array.from(Buffer.from(golden, 'hex')))
  test('damaged, cut and random messages', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.tuple(fc.constantFrom(...all), fc.nat(80), fc.nat(255), fc.nat(80)).map(([message, at, byte, cut]) => {
        const damaged = message.slice(0, cut)
        if (at < damaged.length) damaged[at] = byte
        return damaged
      }),
    )
    fc.assert(
      fc.property(noise, (message) => {
        for (const decode of [decodeClientMessage, decodeServerMessage]) {
          try {
            decode(message)
          } catch (error) {
            expect(error).toBeInstanceOf(MalformedBytes)
          }
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('bytes left over, bounds exceeded, unknown types', () => {
    expect(() => decodeClientMessage(bytes(7, 0))).toThrow(MalformedBytes)
    expect(() => decodeServerMessage(bytes(0x89, 0))).toThrow(MalformedBytes)
    expect(() => decodeClientMessage(bytes(99))).toThrow(/type 99/)
    expect(() => decodeServerMessage(bytes(0x8a, 77))).toThrow(/goodbye reason 77/)
    expect(() => decodeClientMessage(new Uint8Array(maxMessageBytes + 1))).toThrow(/at most/)
    expect(() => decodeClientMessage(new Uint8Array(0))).toThrow(MalformedBytes)
    expect(() => decodeClientMessage(bytes(8, 0, 0, 0, 0, 5))).toThrow(/change 4/)
    expect(() => decodeClientMessage(bytes(8, 0, 0, 0, 0, 3, 0, 0, 0, 0))).toThrow(/empty node id/)
    const longest = concatChunks(
      encodeClientMessage({ type: 'ask', id: 1, machine: 2, request: new Uint8Array(maxAskBytes) }),
    )
    expect(decodeClientMessage(longest)).toMatchObject({ type: 'ask', id: 1, machine: 2 })
    expect(() => decodeClientMessage(concatChunks([longest, bytes(0)]))).toThrow(/bytes of a request/)
    const reply = new Uint8Array(maxReadReplyBytes + 1)
    const tooLong = concatChunks(encodeServerMessage({ type: 'answer', id: 1, reply }))
    expect(() => decodeServerMessage(tooLong)).toThrow(MalformedBytes)
    expect(() => decodeServerMessage(bytes(0x8d, 1, 0, 0, 0, 1, 0))).toThrow(MalformedBytes)
    expect(() => decodeServerMessage(bytes(0x8d, 1, 0, 0, 0, 99))).toThrow(/refusal 98/)
    const [, twice = ''] = serverMessages.at(-1) ?? []
    expect(() => decodeServerMessage(Buffer.from(twice.replace('6e33', '6e32'), 'hex'))).toThrow(/listed twice/)
  })

  test('a hello of another version is let through, to be answered', () => {
    expect(decodeClientMessage(bytes(1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 42))).toMatchObject({ type: 'hello', version: 2 })
  })
})
