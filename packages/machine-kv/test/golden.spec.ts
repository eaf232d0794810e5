import { expect, test } from 'vitest'
import {
  encodeBound,
  encodeDelete,
  encodeKey,
  encodePut,
  encodeQuery,
  encodeWatch,
  kvMachine,
  prefixInterval,
} from '../src/index.ts'
import { bodyOf, context, text } from './model.ts'

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex')
const key = encodeKey('ké')
const none = encodeBound('')

// These bytes are on disks and on wires: a change is a new version, not a new expectation.
test('commands', () => {
  expect(hex(encodePut(key, text.encode('v')))).toBe('010003006bc3a976')
  expect(hex(encodePut(key, text.encode('v'), 258n))).toBe('0101020100000000000003006bc3a976')
  expect(hex(encodeDelete(key, 0n))).toBe('0201000000000000000003006bc3a9')
})

test('queries and watches', () => {
  expect(hex(encodeQuery({ type: 'get', key }))).toBe('016bc3a9')
  expect(hex(encodeQuery({ type: 'list', ...prefixInterval(key), limit: 5, keysOnly: true }))).toBe(
    '02030000006bc3a9030000006bc3aa0500000001',
  )
  expect(hex(encodeQuery({ type: 'count', from: none, to: none }))).toBe('030000000000000000')
  expect(hex(encodeQuery({ type: 'info' }))).toBe('04')
  expect(hex(encodeWatch({ from: key, to: none, fromRevision: 7n, keysOnly: false }))).toBe(
    '01000700000000000000030000006bc3a900000000',
  )
})

test('replies, events, snapshot and hash of a small history', async () => {
  const machine = kvMachine({ history: { events: 3, bytes: 1000 } })
  const replies = [
    encodePut(key, text.encode('v')),
    encodePut(encodeKey('a'), text.encode('1')),
    encodePut(encodeKey('a'), text.encode('2'), 1n),
    encodePut(encodeKey('a'), text.encode('3'), 2n),
    encodeDelete(key),
    Uint8Array.of(1),
    Uint8Array.of(9),
  ].map((command) => hex(machine.apply(command, context)))
  const feed = machine.watch?.(encodeWatch({ from: none, to: none, fromRevision: 2n, keysOnly: false }))
  const late = machine.watch?.(encodeWatch({ from: none, to: none, fromRevision: 1n, keysOnly: false }))
  expect({
    replies,
    get: hex(machine.query(encodeQuery({ type: 'get', key: encodeKey('a') }))),
    absent: hex(machine.query(encodeQuery({ type: 'get', key }))),
    list: hex(machine.query(encodeQuery({ type: 'list', from: none, to: none, limit: 9, keysOnly: false }))),
    keys: hex(machine.query(encodeQuery({ type: 'list', from: none, to: none, limit: 9, keysOnly: true }))),
    count: hex(machine.query(encodeQuery({ type: 'count', from: none, to: none }))),
    info: hex(machine.query(encodeQuery({ type: 'info' }))),
    malformed: hex(machine.query(Uint8Array.of(77))),
    events: hex(feed?.poll(1000)),
    compacted: hex(late?.poll(1000)),
    hash: machine.hash(),
    snapshot: hex(await bodyOf(machine)),
  }).toMatchInlineSnapshot(`
    {
      "absent": "00040000000000000000",
      "compacted": "030200000000000000",
      "count": "0004000000000000000100000000000000",
      "events": "0004000000000000000300000001020000000000000002000000000000000100000000000000010061010000003101030000000000000002000000000000000200000000000000010061010000003302040000000000000003006bc3a9",
      "get": "000400000000000000010200000000000000030000000000000002000000000000000100610100000033",
      "hash": "189f00224611b80d",
      "info": "00040000000000000001000000000000000200000000000000",
      "keys": "0004000000000000000201000000020000000000000003000000000000000200000000000000010061",
      "list": "00040000000000000000010000000200000000000000030000000000000002000000000000000100610100000033",
      "malformed": "02",
      "replies": [
        "0001000000000000000000000000000000",
        "0002000000000000000000000000000000",
        "010200000000000000",
        "0003000000000000000200000000000000",
        "0004000000000000000100000000000000",
        "02",
        "03",
      ],
      "snapshot": "2c000000434b56310400000000000000010000000000000001000000000000000300000003000000e8030000000000007100000001020000000000000003000000000000000200000000000000010061010000003303020000000000000002000000000000000100000000000000010061010000003104030000000000000001006102040000000000000003006bc3a9051000000031383966303032323436313162383064",
    }
  `)
})
