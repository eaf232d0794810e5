import { decodeMembers, encodeMembers } from '@conclave/engine-parts'
/** The bytes of every format of this package. A change here is a new version of the format, never an edit of these lines. */
import { concatChunks, MalformedBytes, type Membership, nodeId } from '@conclave/interface'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeEntry, encodeReign, entryKind, makeEntry, type Term } from '../src/entry.ts'
import {
  decodeMessage,
  decodeSnapshotHeader,
  encodeMessage,
  encodeSnapshotHeader,
  type Message,
} from '../src/messages.ts'
import { decodeMeta, encodeMeta } from '../src/meta.ts'

const t = (n: number) => n as Term
const unhex = (bytes: string) => Uint8Array.from(bytes.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')

const messages: [Message, string][] = [
  [
    { type: 'vote', term: t(5), pre: true, last: 7, lastTerm: t(4) },
    '01010500000000000000' + '01' + '0700000000000000' + '0400000000000000',
  ],
  [{ type: 'voteReply', term: t(5), pre: true, granted: true }, '0102050000000000000003'],
  [{ type: 'appendReply', term: t(5), ok: true, match: 258 }, '01040500000000000000010201000000000000'],
  [
    { type: 'appendReply', term: t(5), ok: false, previous: 9, conflict: 3, conflictTerm: t(2) },
    '010405000000000000000009000000000000000300000000000000' + '0200000000000000',
  ],
  [
    { type: 'heartbeat', term: t(5), commit: 6, round: 8 },
    '01050500000000000000' + '0600000000000000' + '0800000000000000',
  ],
  [{ type: 'heartbeatReply', term: t(5), round: 8 }, '01060500000000000000' + '0800000000000000'],
]

/** What only version 2 can say. */
const newer: [Message, string][] = [
  [
    { type: 'vote', term: t(5), pre: false, last: 7, lastTerm: t(4), transfer: true },
    '02010500000000000000' + '02' + '0700000000000000' + '0400000000000000',
  ],
  [
    { type: 'heartbeat', term: t(5), commit: 6, round: 8, lease: true },
    '02050500000000000000' + '0600000000000000' + '0800000000000000' + '01',
  ],
  [{ type: 'heartbeatReply', term: t(5), round: 8, promise: true }, '02060500000000000000' + '0800000000000000' + '01'],
  [{ type: 'timeoutNow', term: t(5) }, '02070500000000000000'],
]

describe('golden bytes', () => {
  it.each(messages)('%o', (message, bytes) => {
    expect(hex(concatChunks(encodeMessage(message)))).toBe(bytes)
    expect(decodeMessage(concatChunks(encodeMessage(message)))).toEqual(message)
  })

  it.each(newer)('version 2: %o', (message, bytes) => {
    expect(hex(concatChunks(encodeMessage(message)))).toBe(bytes)
    expect(decodeMessage(concatChunks(encodeMessage(message)))).toEqual(message)
    expect(() => decodeMessage(concatChunks(encodeMessage(message)), 1)).toThrow('of version 2')
  })

  it('version 2 says nothing that version 1 can say', () => {
    for (const bytes of [
      '0203050000000000000000', // an append
      '02010500000000000000' + '01' + '0700000000000000' + '0400000000000000', // a pre-vote
      '02050500000000000000' + '0600000000000000' + '0800000000000000' + '00', // a heartbeat that asks for nothing
      '02060500000000000000' + '0800000000000000' + '00',
      '01070500000000000000', // TimeoutNow in version 1
      '03070500000000000000', // a version that is to come
      '00070500000000000000',
    ])
      expect(() => decodeMessage(unhex(bytes)), bytes).toThrow(MalformedBytes)
  })

  it('an append carries its entries as they stand in the journal', () => {
    const entry = makeEntry(t(5), entryKind.batch, new Uint8Array([0xaa, 0xbb]))
    const bytes = concatChunks(
      encodeMessage({ type: 'append', term: t(5), previous: 1, previousTerm: t(4), commit: 1, entries: [entry] }),
    )
    expect(hex(bytes)).toBe(
      '01030500000000000000' +
        '0100000000000000' +
        '0400000000000000' +
        '0100000000000000' +
        '01000000' +
        '0b000000' +
        '0500000000000000' +
        '01' +
        'aabb',
    )
    expect(hex(concatChunks(entry.encoded))).toBe('050000000000000001aabb')
    expect(decodeEntry(concatChunks(entry.encoded))).toMatchObject({
      term: 5,
      kind: entryKind.batch,
      payload: new Uint8Array([0xaa, 0xbb]),
    })
  })

  it('the entry that opens a reign names the leader', () =>
    expect(hex(encodeReign(nodeId('n1')))).toBe('02000000' + '6e31'))

  it('the metadata is term and vote', () => {
    expect(hex(encodeMeta(t(3), undefined))).toBe('01030000000000000000')
    expect(hex(encodeMeta(t(3), nodeId('n1')))).toBe('010300000000000000' + '01' + '02000000' + '6e31')
    expect(decodeMeta(encodeMeta(t(3), nodeId('n1')))).toEqual({ term: 3, vote: 'n1', promised: false })
  })

  it('and, from version 2 on, that promises were made; without any, version 1 is written', () => {
    expect(hex(encodeMeta(t(3), undefined, true))).toBe('02030000000000000000')
    expect(hex(encodeMeta(t(3), nodeId('n1'), true))).toBe('020300000000000000' + '01' + '02000000' + '6e31')
    expect(decodeMeta(encodeMeta(t(3), nodeId('n1'), true))).toEqual({ term: 3, vote: 'n1', promised: true })
    expect(() => decodeMeta(unhex('03030000000000000000'))).toThrow('version 3')
  })

  it('a snapshot header carries position, term and configuration', () => {
    const membership = { members: [{ id: nodeId('n1'), name: 'a', addresses: ['/x'], role: 'voter' as const }] }
    const bytes = encodeSnapshotHeader({ term: t(2), position: 9, lastTerm: t(1), membership })
    expect(hex(bytes)).toBe(
      '01' +
        '0200000000000000' +
        '0900000000000000' +
        '0100000000000000' +
        '0100' +
        '02000000' +
        '6e31' +
        '01000000' +
        '61' +
        '01' +
        '01' +
        '02000000' +
        '2f78' +
        '0000',
    )
    expect(decodeSnapshotHeader(bytes)).toEqual({ term: 2, position: 9, lastTerm: 1, membership })
  })

  it('a configuration lists members, who leaves, and, only if there are any, who was removed', () => {
    const member = { name: 'a', addresses: [] }
    const membership: Membership = {
      members: [
        { id: nodeId('n1'), ...member, role: 'voter' },
        { id: nodeId('n2'), ...member, role: 'learner' },
        { id: nodeId('n3'), ...member, role: 'learner', promote: true },
      ],
      outgoing: [nodeId('n1'), nodeId('n2')],
      removed: [nodeId('n9')],
    }
    const bytes =
      '0300' +
      '020000006e31' +
      '0100000061' +
      '01' +
      '00' +
      '020000006e32' +
      '0100000061' +
      '02' +
      '00' +
      '020000006e33' +
      '0100000061' +
      '03' +
      '00' +
      '0200' +
      '020000006e31' +
      '020000006e32'
    const removed = '0100' + '020000006e39'
    expect(hex(encodeMembers(membership))).toBe(bytes + removed)
    expect(decodeMembers(unhex(bytes + removed))).toEqual(membership)
    expect(hex(encodeMembers({ ...membership, removed: [] }))).toBe(bytes)
    const { removed: _none, ...without } = membership
    expect(decodeMembers(unhex(bytes))).toEqual(without)
  })

  it('a release that speaks only version 1 reads no removed members and nobody on the way to voter', () => {
    const plain = '0100' + '020000006e31' + '0100000061' + '02' + '00' + '0000'
    expect(decodeMembers(unhex(plain), 1).members).toHaveLength(1)
    expect(() => decodeMembers(unhex(`${plain}0100020000006e39`), 1)).toThrow(MalformedBytes)
    expect(() => decodeMembers(unhex(plain.replace('610200', '610300')), 1)).toThrow('role 3')
    expect(() => decodeMembers(unhex(plain.replace('610200', '610400')))).toThrow('role 4')
  })

  it('the bounds of a configuration are checked', () => {
    for (const bytes of [
      'e903',
      '0100' + '00000000',
      '0100' + '020000006e31' + '0100000061' + '01' + '21',
      '0000' + 'e903',
    ])
      expect(() => decodeMembers(unhex(bytes)), bytes).toThrow(MalformedBytes)
  })
})

describe('any bytes', () => {
  it('parse, or are malformed; nothing else is thrown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.integer({ min: 0, max: 7 }), (bytes, type) => {
        const message = new Uint8Array([1 + (bytes.length % 2), type, ...bytes])
        const decoders: ((bytes: Uint8Array) => unknown)[] = [
          decodeMessage,
          decodeSnapshotHeader,
          decodeEntry,
          decodeMeta,
        ]
        for (const decode of decoders) {
          try {
            decode(message)
          } catch (error) {
            expect(error).toMatchObject({ name: 'MalformedBytes' })
          }
        }
      }),
      { numRuns: 500 },
    )
  })
})
