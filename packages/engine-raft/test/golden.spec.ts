/** The bytes of every format of this package. A change here is a new version of the format, never an edit of these lines. */
import { concatChunks, nodeId } from '@conclave/interface'
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

describe('golden bytes', () => {
  it.each(messages)('%o', (message, bytes) => {
    expect(hex(concatChunks(encodeMessage(message)))).toBe(bytes)
    expect(decodeMessage(concatChunks(encodeMessage(message)))).toEqual(message)
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
})

describe('any bytes', () => {
  it('parse, or are malformed; nothing else is thrown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.integer({ min: 0, max: 7 }), (bytes, type) => {
        const message = new Uint8Array([1, type, ...bytes])
        for (const decode of [decodeMessage, decodeSnapshotHeader, decodeEntry, decodeMeta]) {
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
