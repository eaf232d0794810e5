/** The bytes of every format of this package. A change here is a new version of the format, never an edit of these lines. */
import { concatChunks, MalformedBytes, type Membership, nodeId } from '@conclave/interface'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeMessage,
  decodeSnapshotHeader,
  encodeMessage,
  encodeSnapshotHeader,
  type Message,
} from '../src/messages.ts'
import { decodeMeta, encodeMeta } from '../src/meta.ts'
import { decodeReign, decodeTransaction, encodeReign, makeTransaction, transactionKind } from '../src/transaction.ts'
import { e, zxidOf } from './nodes.ts'

const unhex = (bytes: string) => Uint8Array.from(bytes.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')

const n1 = nodeId('n1')
const id1 = '02000000' + '6e31'
/** A safe integer below 256. */
const u53 = (n: number) => `${n.toString(16).padStart(2, '0')}00000000000000`
const zxid = (epoch: number, counter: number) => `${u53(epoch)}${counter.toString(16).padStart(2, '0')}000000`
const vote = { leader: n1, epoch: e(3), zxid: zxidOf(3, 7) }

const messages: [Message, string][] = [
  [
    { type: 'notification', epoch: e(5), round: 8, state: 'LOOKING', vote },
    `0101${u53(5)}${u53(8)}00` + `01${id1}${u53(3)}${zxid(3, 7)}`,
  ],
  [{ type: 'notification', epoch: e(5), round: 8, state: 'FOLLOWING', vote: undefined }, `0101${u53(5)}${u53(8)}0100`],
  [{ type: 'notification', epoch: e(5), round: 8, state: 'LEADING', vote: undefined }, `0101${u53(5)}${u53(8)}0200`],
  [{ type: 'cepoch', epoch: e(0), acceptedFrom: undefined }, `0102${u53(0)}00000000`],
  [{ type: 'cepoch', epoch: e(5), acceptedFrom: n1 }, `0102${u53(5)}${id1}`],
  [{ type: 'newEpoch', epoch: e(5) }, `0103${u53(5)}`],
  [
    { type: 'ackEpoch', epoch: e(5), currentEpoch: e(4), last: 9, zxid: zxidOf(3, 7) },
    `0104${u53(5)}${u53(4)}${u53(9)}${zxid(3, 7)}`,
  ],
  [{ type: 'trunc', epoch: e(5), last: zxidOf(3, 7), zxid: zxidOf(0, 0) }, `0105${u53(5)}${zxid(3, 7)}${zxid(0, 0)}`],
  [{ type: 'diff', epoch: e(5), position: 9, zxid: zxidOf(3, 7) }, `0106${u53(5)}${u53(9)}${zxid(3, 7)}`],
  [
    { type: 'propose', epoch: e(5), first: 1, committed: 2, transactions: [] },
    `0107${u53(5)}${u53(1)}${u53(2)}00000000`,
  ],
  [{ type: 'ack', epoch: e(5), position: 9, resume: false }, `0108${u53(5)}${u53(9)}00`],
  [{ type: 'ack', epoch: e(5), position: 9, resume: true }, `0108${u53(5)}${u53(9)}01`],
  [{ type: 'newLeader', epoch: e(5), position: 9 }, `0109${u53(5)}${u53(9)}`],
  [{ type: 'ackLeader', epoch: e(5) }, `010a${u53(5)}`],
  [{ type: 'commitLeader', epoch: e(5), committed: 9 }, `010b${u53(5)}${u53(9)}`],
  [{ type: 'commit', epoch: e(5), committed: 9 }, `010c${u53(5)}${u53(9)}`],
  [
    { type: 'ping', epoch: e(5), established: true, lease: false, round: 8, committed: 6, sent: 7 },
    `010d${u53(5)}01${u53(8)}${u53(6)}${u53(7)}`,
  ],
  [
    { type: 'ping', epoch: e(5), established: false, lease: true, round: 8, committed: 0, sent: 0 },
    `010d${u53(5)}02${u53(8)}${u53(0)}${u53(0)}`,
  ],
  [{ type: 'pong', epoch: e(5), round: 8, pledged: false }, `010e${u53(5)}${u53(8)}00`],
  [{ type: 'pong', epoch: e(5), round: 8, pledged: true }, `010e${u53(5)}${u53(8)}01`],
  [{ type: 'handOver', epoch: e(5) }, `010f${u53(5)}`],
  [{ type: 'takeOver', epoch: e(5) }, `0110${u53(5)}`],
]

describe('golden bytes', () => {
  it.each(messages)('%o', (message, bytes) => {
    expect(hex(concatChunks(encodeMessage(message)))).toBe(bytes)
    expect(decodeMessage(unhex(bytes))).toEqual(message)
  })

  it('a proposal carries its transactions as they stand in the journal', () => {
    const one = makeTransaction(zxidOf(3, 7), transactionKind.batch, new Uint8Array([0xaa, 0xbb]))
    const next = makeTransaction(zxidOf(5, 1), transactionKind.reign, encodeReign(n1))
    const [oneBytes, nextBytes] = [`${zxid(3, 7)}01aabb`, `${zxid(5, 1)}02${id1}`]
    const proposal: Message = { type: 'propose', epoch: e(5), first: 9, committed: 8, transactions: [one, next] }
    const bytes = concatChunks(encodeMessage(proposal))
    expect(hex(bytes)).toBe(`0107${u53(5)}${u53(9)}${u53(8)}02000000` + `0f000000${oneBytes}` + `13000000${nextBytes}`)
    expect(hex(concatChunks(one.encoded))).toBe(oneBytes)
    expect(hex(concatChunks(next.encoded))).toBe(nextBytes)
    expect(decodeMessage(bytes)).toMatchObject({
      first: 9,
      transactions: [
        { zxid: { epoch: 3, counter: 7 }, kind: 1, size: 15 },
        { kind: 2, size: 19 },
      ],
    })
    expect(decodeReign(decodeTransaction(unhex(nextBytes)).payload)).toBe('n1')
  })

  it('the metadata is both epochs, whose the accepted one is, and whether pledges were made', () => {
    const meta = { acceptedEpoch: e(5), acceptedFrom: n1, currentEpoch: e(4), pledged: false }
    expect(hex(encodeMeta(meta))).toBe(`01${u53(5)}${id1}${u53(4)}00`)
    expect(hex(encodeMeta({ ...meta, pledged: true }))).toBe(`01${u53(5)}${id1}${u53(4)}01`)
    expect(decodeMeta(unhex(`01${u53(5)}${id1}${u53(4)}00`))).toEqual(meta)
    const none = { acceptedEpoch: e(0), acceptedFrom: undefined, currentEpoch: e(0), pledged: false }
    expect(hex(encodeMeta(none))).toBe(`01${u53(0)}00000000${u53(0)}00`)
    expect(decodeMeta(encodeMeta(none))).toEqual(none)
    expect(decodeMeta(undefined)).toEqual(none)
  })

  it('a snapshot header carries epoch, position, zxid and configuration', () => {
    const membership: Membership = { members: [{ id: n1, name: 'a', addresses: ['/x'], role: 'voter' }] }
    const header = { epoch: e(5), position: 9, zxid: zxidOf(3, 7), membership }
    const bytes = `01${u53(5)}${u53(9)}${zxid(3, 7)}0100${id1}01000000610101020000002f780000`
    expect(hex(encodeSnapshotHeader(header))).toBe(bytes)
    expect(decodeSnapshotHeader(unhex(bytes))).toEqual(header)
  })
})

describe('what is refused', () => {
  it.each([
    ['another version', `0203${u53(5)}`, 'version 2; this build speaks version 1'],
    ['an unknown type', `0111${u53(5)}`, 'of type 17'],
    ['bytes left over', `0103${u53(5)}00`, ''],
    ['an epoch beyond the safe integers', '0103ffffffffffffffff', ''],
    ['an unknown state', `0101${u53(5)}${u53(8)}0300`, 'a state of 3'],
    ['an unknown flag', `0108${u53(5)}${u53(9)}02`, 'flags of 2'],
    ['an unknown flag of a ping', `010d${u53(5)}04${u53(8)}${u53(6)}${u53(7)}`, 'flags of 4'],
    ['a vote for nobody by name', `0101${u53(5)}${u53(8)}0001${'00000000'}${u53(3)}${zxid(3, 7)}`, 'an empty node id'],
    ['a promise to nobody', `0102${u53(5)}00000000`, 'an empty node id'],
    ['somebody to whom nothing was promised', `0102${u53(0)}${id1}`, ''],
    ['half a zxid', `0105${u53(5)}${zxid(3, 7)}${zxid(0, 7)}`, 'a zxid of 0.7'],
    ['half a zxid, the other half', `0105${u53(5)}${zxid(7, 0)}${zxid(0, 0)}`, 'a zxid of 7.0'],
    ['a history of a later epoch', `0104${u53(5)}${u53(6)}${u53(9)}${zxid(3, 7)}`, 'a history of epoch 6'],
    ['a history that ends in a later epoch', `0104${u53(5)}${u53(5)}${u53(9)}${zxid(6, 7)}`, 'that promises epoch 5'],
    ['a history that is too short', `0104${u53(5)}${u53(4)}${u53(6)}${zxid(3, 7)}`, 'a history of 6 transactions'],
    ['a proposal for position 0', `0107${u53(5)}${u53(0)}${u53(2)}00000000`, 'position 0'],
    ['more transactions than there are', `0107${u53(5)}${u53(1)}${u53(2)}02000000`, ''],
    [
      'a transaction of a later epoch',
      `0107${u53(5)}${u53(1)}${u53(0)}01000000` + `0d000000${zxid(6, 1)}01`,
      'epoch 6',
    ],
    [
      'transactions out of order',
      `0107${u53(5)}${u53(1)}${u53(0)}02000000` + `0d000000${zxid(3, 7)}01` + `0d000000${zxid(3, 9)}01`,
      'transaction 3.9 right after 3.7',
    ],
    [
      'an epoch that does not begin with 1',
      `0107${u53(5)}${u53(1)}${u53(0)}02000000` + `0d000000${zxid(3, 7)}01` + `0d000000${zxid(4, 2)}01`,
      'transaction 4.2 right after 3.7',
    ],
    [
      'an epoch that falls',
      `0107${u53(5)}${u53(1)}${u53(0)}02000000` + `0d000000${zxid(3, 7)}01` + `0d000000${zxid(2, 1)}01`,
      'transaction 2.1 right after 3.7',
    ],
  ])('%s', (_, bytes, message) => {
    expect(() => decodeMessage(unhex(bytes))).toThrow(MalformedBytes)
    expect(() => decodeMessage(unhex(bytes))).toThrow(message)
  })

  it('a transaction without a zxid, of an unknown kind, or with a payload that is none of its kind', () => {
    for (const bytes of [
      `${zxid(0, 0)}01aa`,
      `${zxid(3, 7)}04`,
      `${zxid(3, 7)}00`,
      `${zxid(3, 7)}02`,
      `${zxid(3, 7)}03ff`,
    ])
      expect(() => decodeTransaction(unhex(bytes)), bytes).toThrow(MalformedBytes)
    expect(() => decodeTransaction(unhex(`${zxid(3, 7)}02${id1}00`))).toThrow(MalformedBytes)
  })

  it('metadata of another version, or of somebody who promised nobody', () => {
    expect(() => decodeMeta(unhex(`02${u53(5)}${id1}${u53(4)}00`))).toThrow('version 2; this build reads version 1')
    expect(() => decodeMeta(unhex(`01${u53(5)}00000000${u53(4)}00`))).toThrow('an empty node id')
    expect(() => decodeMeta(unhex(`01${u53(0)}${id1}${u53(0)}00`))).toThrow(MalformedBytes)
    expect(() => decodeMeta(unhex(`01${u53(3)}${id1}${u53(4)}00`))).toThrow('epoch 4 is followed, but only 3')
  })

  it('a snapshot header of another version, at no position, or of a later epoch than its leader', () => {
    const rest = '0000' + '0000'
    for (const [bytes, message] of [
      [`02${u53(5)}${u53(9)}${zxid(3, 7)}${rest}`, 'version 2'],
      [`01${u53(5)}${u53(0)}${zxid(0, 0)}${rest}`, 'a snapshot at position 0'],
      [`01${u53(5)}${u53(6)}${zxid(3, 7)}${rest}`, 'a snapshot at position 6'],
      [`01${u53(2)}${u53(9)}${zxid(3, 7)}${rest}`, 'from a leader of epoch 2'],
    ] as const)
      expect(() => decodeSnapshotHeader(unhex(bytes)), bytes).toThrow(message)
  })
})

describe('any bytes', () => {
  it('parse, or are malformed; nothing else is thrown', () => {
    const decoders: ((bytes: Uint8Array) => unknown)[] = [decodeMessage, decodeSnapshotHeader, decodeTransaction]
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.integer({ min: 0, max: 17 }), (bytes, type) => {
        for (const decode of decoders) {
          try {
            decode(new Uint8Array([1, type, ...bytes]))
          } catch (error) {
            expect(error).toMatchObject({ name: 'MalformedBytes' })
          }
        }
      }),
      { numRuns: 500 },
    )
  })
})
