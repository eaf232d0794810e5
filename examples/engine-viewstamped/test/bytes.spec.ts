/** What stands on disk and on the wire, byte by byte: a change here is another version. */
import { concatChunks, MalformedBytes, nodeId } from '@conclave/interface'
import { describe, expect, it } from 'vitest'
import { decodeMeta, encodeMeta } from '../src/configuration.ts'
import { decodeEntry, entryKind, makeEntry, makeReign, type View } from '../src/entry.ts'
import { viewstamped } from '../src/index.ts'
import {
  decodeMessage,
  decodeSnapshotHeader,
  encodeMessage,
  encodeSnapshotHeader,
  type Message,
} from '../src/messages.ts'

const v = (of: number): View => of as View
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const u53 = (value: number): string => `${value.toString(16).padStart(2, '0')}${'00'.repeat(7)}`
const u32 = (value: number): string => `${value.toString(16).padStart(2, '0')}000000`

const batch = makeEntry(v(3), entryKind.batch, Uint8Array.of(0xca, 0xfe))
const reign = makeReign(v(3), nodeId('n0'))
const part = { after: 4, afterView: v(2), entries: [reign, batch] }
const partHex = [
  ...[u53(4), u53(2), u32(2)],
  ...[u32(15), u53(3), '02', u32(2), '6e30'],
  ...[u32(11), u53(3), '01', 'cafe'],
].join('')

const messages: readonly (readonly [message: Message, bytes: string, words: string])[] = [
  [{ type: 'suspect', view: v(7) }, `0101${u53(7)}`, 'SUSPECT view 7'],
  [{ type: 'startViewChange', view: v(7) }, `0102${u53(7)}`, 'STARTVIEWCHANGE view 7'],
  [
    { type: 'doViewChange', view: v(7), lastNormal: v(3), op: 6, commit: 5, part },
    `0103${u53(7)}${u53(3)}${u53(6)}${u53(5)}${partHex}`,
    'DOVIEWCHANGE view 7 lastNormal 3 op 6 commit 5 ops 5..6',
  ],
  [
    { type: 'startView', view: v(7), commit: 5, part },
    `0104${u53(7)}${u53(5)}${partHex}`,
    'STARTVIEW view 7 commit 5 ops 5..6',
  ],
  [
    { type: 'prepare', view: v(7), commit: 5, part },
    `0105${u53(7)}${u53(5)}${partHex}`,
    'PREPARE view 7 commit 5 ops 5..6',
  ],
  [{ type: 'prepareOk', view: v(7), op: 6 }, `0106${u53(7)}${u53(6)}`, 'PREPAREOK view 7 op 6'],
  [
    { type: 'commit', view: v(7), commit: 5, op: 6, round: 9 },
    `0107${u53(7)}${u53(5)}${u53(6)}${u53(9)}`,
    'COMMIT view 7 commit 5 op 6 round 9',
  ],
  [{ type: 'commitOk', view: v(7), round: 9 }, `0108${u53(7)}${u53(9)}`, 'COMMITOK view 7 round 9'],
  [{ type: 'getState', view: v(7), after: 4 }, `0109${u53(7)}${u53(4)}`, 'GETSTATE view 7 after 4'],
  [
    { type: 'newState', view: v(7), commit: 5, part: { ...part, entries: [] } },
    `010a${u53(7)}${u53(5)}${u53(4)}${u53(2)}${u32(0)}`,
    'NEWSTATE view 7 commit 5 nothing after 4',
  ],
]

describe('messages', () => {
  it.each(messages)('%o', (message, bytes, words) => {
    const encoded = concatChunks(encodeMessage(message))
    expect(hex(encoded)).toBe(bytes)
    expect(hex(concatChunks(encodeMessage(decodeMessage(encoded))))).toBe(bytes)
    expect(viewstamped.describe?.(encoded)).toBe(words)
    for (let length = 0; length < encoded.length; length++)
      expect(() => decodeMessage(encoded.subarray(0, length))).toThrow(MalformedBytes)
  })

  it.each([
    ['of another version', `0201${u53(7)}`],
    ['of an unknown type', `010b${u53(7)}`],
    ['of view 0', `0101${u53(0)}`],
    ['with a log in which views fall', `0105${u53(7)}${u53(0)}${u53(4)}${u53(4)}${partHex.slice(32)}`],
    ['with an entry of a later view', `0105${u53(2)}${u53(0)}${partHex}`],
    ['with a suffix that does not end at its op-number', `0103${u53(7)}${u53(3)}${u53(9)}${u53(5)}${partHex}`],
    ['last normal in the view that it changes to', `0103${u53(7)}${u53(7)}${u53(6)}${u53(5)}${partHex}`],
    ['with more committed than there is', `0103${u53(7)}${u53(3)}${u53(6)}${u53(7)}${partHex}`],
  ])('one %s is malformed', (_, bytes) => {
    expect(() => decodeMessage(Buffer.from(bytes, 'hex'))).toThrow(MalformedBytes)
    expect(viewstamped.describe?.(Buffer.from(bytes, 'hex'))).toBeUndefined()
  })
})

describe('the journal', () => {
  it('entries', () => {
    expect(hex(concatChunks(batch.encoded))).toBe(`${u53(3)}01cafe`)
    expect(hex(concatChunks(reign.encoded))).toBe(`${u53(3)}02${u32(2)}6e30`)
    for (const wrong of [`${u53(0)}01`, `${u53(3)}03`, `${u53(3)}02${u32(0)}`, `${u53(3)}02${u32(1)}6e30`])
      expect(() => decodeEntry(Buffer.from(wrong, 'hex'))).toThrow(MalformedBytes)
  })

  it('view-number, last normal view and the replicas in one record', () => {
    const member = { id: nodeId('n0'), name: 'a', addresses: ['b'], role: 'voter' } as const
    const meta = { view: v(7), lastNormal: v(3), membership: { members: [member] } }
    const bytes = `01${u53(7)}${u53(3)}0100${u32(2)}6e30${u32(1)}61010100${u32(1)}62`
    expect(hex(encodeMeta(meta))).toBe(bytes)
    expect(decodeMeta(encodeMeta(meta))).toEqual(meta)
    for (const wrong of [`02${bytes.slice(2)}`, `01${u53(3)}${u53(7)}0000`, `${bytes}00`, bytes.slice(0, -2)])
      expect(() => decodeMeta(Buffer.from(wrong, 'hex'))).toThrow(MalformedBytes)
  })

  it('what a snapshot stands for', () => {
    const header = { view: v(7), position: 5, entryView: v(3) }
    expect(hex(encodeSnapshotHeader(header))).toBe(`01${u53(7)}${u53(5)}${u53(3)}`)
    expect(decodeSnapshotHeader(encodeSnapshotHeader(header))).toEqual(header)
    for (const wrong of [
      { ...header, position: 0 },
      { ...header, entryView: v(8) },
      { ...header, entryView: v(0) },
    ])
      expect(() => decodeSnapshotHeader(encodeSnapshotHeader(wrong))).toThrow(MalformedBytes)
  })

  it('a journal that contradicts itself is refused', () => {
    const entryBytes = (of: number) => concatChunks(makeEntry(v(of), entryKind.batch, new Uint8Array(1)).encoded)
    const meta = encodeMeta({ view: v(3), lastNormal: v(3), membership: { members: [] } })
    const create = (slots: readonly number[], of: number) =>
      viewstamped.create({
        self: nodeId('n0'),
        founders: { members: [] },
        recovered: { meta, entries: slots.map((slot) => ({ slot: slot as never, bytes: entryBytes(of) })) },
        timing: { heartbeatTicks: 5, electionTicks: 30, tickMillis: 10 },
        random: { next: () => 0 },
        limits: { messageBytes: 1024, inflightBytes: 1024, undecidedBytes: 1024, tailBytes: 1024 },
      })
    expect(create([1, 2], 3).status()).toMatchObject({ last: 2, self: 'none' })
    expect(() => create([1, 3], 3)).toThrow('slot 3 after 1')
    expect(() => create([1], 4)).toThrow('an entry of view 4 in the journal of view 3')
  })
})
