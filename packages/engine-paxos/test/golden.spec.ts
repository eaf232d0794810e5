/** The bytes of every format of this package. A change here is a new version of the format, never an edit of these lines. */
import { concatChunks, nodeId } from '@conclave/interface'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Ballot, encodeBallot } from '../src/ballot.ts'
import { type Configuration, decodeConfiguration, encodeConfiguration } from '../src/configuration.ts'
import {
  decodeMessage,
  decodeSnapshotHeader,
  describe as describeMessage,
  encodeMessage,
  encodeSnapshotHeader,
  type Message,
} from '../src/messages.ts'
import { decodeMeta, encodeMeta } from '../src/meta.ts'
import { decodeAccepted, encodeAccepted, makeReign, makeStop, makeValue, noop, valueKind } from '../src/value.ts'

const b = (round: number, ordinal: number): Ballot => ({ round, ordinal })
const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
const its = { configuration: 2, ballot: b(5, 3), decided: 7 }
const head = (type: string) => `01${type}02000000000000000500000000000000030000000700000000000000`
const apple = makeValue(b(4, 1), valueKind.batch, new Uint8Array([0xaa, 0xbb]))
const appleBytes = '0400000000000000' + '01000000' + '01' + 'aabb'

const messages: [Message, string, string][] = [
  [{ type: 'canvass', ...its }, head('01'), 'canvass ballot 5.3'],
  [
    { type: 'canvassReply', ...its, asked: b(6, 1), granted: true },
    `${head('02')}06000000000000000100000001`,
    'canvass granted for ballot 6.1',
  ],
  [
    { type: 'prepare', ...its, from: 8, cursor: 9, given: b(4, 2) },
    `${head('03')}08000000000000000900000000000000040000000000000002000000`,
    'prepare 8.. ballot 5.3',
  ],
  [
    { type: 'promise', ...its, cursor: 8, next: 10, reports: [{ slot: 9, ballot: b(4, 2), value: apple }] },
    `${head('04')}08000000000000000a00000000000000` +
      '01000000' +
      '0900000000000000' +
      '040000000000000002000000' +
      '0f000000' +
      appleBytes,
    'promise 8..9 with 1 accepted, ballot 5.3',
  ],
  [
    { type: 'nack', ...its, refused: b(4, 1) },
    `${head('05')}040000000000000001000000`,
    'nack of ballot 4.1, promised 5.3',
  ],
  [
    { type: 'accept', ...its, sequence: 6, slots: [{ slot: 9, value: apple }] },
    `${head('06')}060000000100000009000000000000000f000000${appleBytes}`,
    'accept 9 ballot 5.3',
  ],
  [
    { type: 'accepted', ...its, sequence: 6, reached: 8, slots: [{ from: 10, count: 2 }] },
    `${head('07')}060000000800000000000000010000000a0000000000000002000000`,
    'accepted up to 8 ballot 5.3',
  ],
  [
    { type: 'heartbeat', ...its, round: 9, lease: true },
    `${head('08')}090000000000000001`,
    'heartbeat round 9 decided 7 ballot 5.3',
  ],
  [
    { type: 'heartbeatReply', ...its, round: 9, pledged: false },
    `${head('09')}090000000000000000`,
    'heartbeat reply round 9 decided 7 ballot 5.3',
  ],
  [
    { type: 'learn', ...its, slots: [{ slot: 9, value: apple }] },
    `${head('0a')}0100000009000000000000000f000000${appleBytes}`,
    'learn 9 ballot 5.3',
  ],
  [{ type: 'watermark', ...its }, head('0b'), 'watermark 7'],
  [{ type: 'handOver', ...its }, head('0c'), 'hand over ballot 5.3'],
]

const configuration: Configuration = {
  number: 3,
  nextOrdinal: 6,
  membership: {
    members: [
      { id: nodeId('n1'), name: 'a', addresses: ['/x'], role: 'voter' },
      { id: nodeId('n5'), name: 'e', addresses: [], role: 'learner', promote: true },
    ],
    removed: [nodeId('n2')],
  },
  ordinals: new Map([
    [nodeId('n1'), 1],
    [nodeId('n5'), 5],
  ]),
}
const configurationBytes =
  '0300000000000000' +
  '06000000' +
  '0200' +
  '01000000' +
  '020000006e31' +
  '0100000061' +
  '01' +
  '01' +
  '020000002f78' +
  '05000000' +
  '020000006e35' +
  '0100000065' +
  '03' +
  '00' +
  '0100' +
  '020000006e32'

describe('golden bytes', () => {
  it.each(messages)('%o', (message, bytes, words) => {
    const encoded = concatChunks(encodeMessage(message))
    expect(hex(encoded)).toBe(bytes)
    expect(hex(concatChunks(encodeMessage(decodeMessage(encoded))))).toBe(bytes)
    expect(describeMessage(encoded)).toBe(words)
  })

  it('an accepted value is the ballot and the value, as it travels', () => {
    const bytes = concatChunks(encodeAccepted(encodeBallot(b(5, 2)), apple))
    expect(hex(bytes)).toBe(`050000000000000002000000${appleBytes}`)
    expect(decodeAccepted(bytes)).toMatchObject({ ballot: b(5, 2), value: { origin: b(4, 1), kind: valueKind.batch } })
  })

  it('a no-op, the entry that opens a reign, and a stop-sign', () => {
    expect(hex(concatChunks(noop.encoded))).toBe(`${'00'.repeat(12)}02`)
    expect(hex(concatChunks(makeReign(b(1, 1), nodeId('n1')).encoded))).toBe(
      '0100000000000000010000000302000000' + '6e31',
    )
    expect(hex(makeStop(b(1, 1), configuration).payload)).toBe(configurationBytes)
  })

  it('a configuration carries ordinals, roles, and who was removed', () => {
    const bytes = encodeConfiguration(configuration)
    expect(hex(bytes)).toBe(configurationBytes)
    expect(decodeConfiguration(bytes)).toEqual(configuration)
  })

  it('the metadata is the promised ballot, a watermark, and whether pledges were made', () => {
    const bytes = encodeMeta({ promised: b(3, 1), decided: 9, pledged: true })
    expect(hex(bytes)).toBe('01' + '030000000000000001000000' + '0900000000000000' + '01')
    expect(decodeMeta(bytes)).toEqual({ promised: b(3, 1), decided: 9, pledged: true })
  })

  it('a snapshot header carries position, reign and configuration', () => {
    const bytes = encodeSnapshotHeader({ ballot: b(5, 3), position: 9, reign: b(4, 1), configuration })
    expect(hex(bytes)).toBe(`010500000000000000030000000900000000000000040000000000000001000000${configurationBytes}`)
    expect(decodeSnapshotHeader(bytes)).toEqual({ ballot: b(5, 3), position: 9, reign: b(4, 1), configuration })
  })
})

describe('any bytes', () => {
  const parsers = [decodeMessage, decodeSnapshotHeader, decodeAccepted, decodeMeta, decodeConfiguration]

  it('parse, or are malformed; nothing else is thrown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 90 }), fc.integer({ min: 0, max: 13 }), (bytes, type) => {
        const message = new Uint8Array([1, type, ...bytes])
        for (const parse of parsers) {
          try {
            parse(message)
          } catch (error) {
            expect(error).toMatchObject({ name: 'MalformedBytes' })
          }
        }
        expect(() => describeMessage(message)).not.toThrow()
      }),
      { numRuns: 500 },
    )
  })

  it('a good message with a few bytes changed parses, or is malformed', () => {
    const good = messages.map(([message]) => concatChunks(encodeMessage(message)))
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat({ max: 255 }), (which, at, byte) => {
        const bytes = (good[which % good.length] ?? new Uint8Array()).slice()
        bytes[at % bytes.length] = byte
        try {
          decodeMessage(bytes)
        } catch (error) {
          expect(error).toMatchObject({ name: 'MalformedBytes' })
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('slots out of order, a page that ends before it begins, and a member twice are malformed', () => {
    const [first, second] = [
      { slot: 9, value: apple },
      { slot: 8, value: apple },
    ]
    const bad: Message[] = [
      { type: 'accept', ...its, sequence: 1, slots: [first, second] },
      { type: 'learn', ...its, slots: [first, first] },
      { type: 'promise', ...its, cursor: 8, next: 7, reports: [] },
      { type: 'promise', ...its, cursor: 8, next: 9, reports: [{ ...first, ballot: b(1, 1) }] },
      { type: 'promise', ...its, cursor: 9, next: 0, reports: [{ ...second, ballot: b(1, 1) }] },
      { type: 'nack', ...its, refused: b(2 ** 41, 1) },
    ]
    for (const message of bad) expect(() => decodeMessage(concatChunks(encodeMessage(message)))).toThrow(/./)
    const { members } = configuration.membership
    const twice = { ...configuration, membership: { members: [...members, ...members] } }
    expect(() => decodeConfiguration(encodeConfiguration(twice))).toThrow(/twice/)
  })
})
