import { describe, expect, test } from 'vitest'
import { MalformedFrame } from '../src/errors.ts'
import { encodeFrame, FrameCutter, queued, splitFrame } from '../src/frame.ts'
import { decodeAnswer, decodeHello, encodeAnswer, encodeHello, judge, verdicts } from '../src/hello.ts'
import { kinds } from '../src/transfer-wire.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const bytes = (of: string): Uint8Array => new Uint8Array(Buffer.from(of, 'hex'))
const lab = { cluster: 'lab', group: 7, engine: 'raft' }
const frameOf = (...messages: string[]): Uint8Array => {
  const all = messages.map((message) => queued([Buffer.from(message)]))
  return encodeFrame(
    all,
    0,
    all.length,
    all.reduce((sum, message) => sum + message.bytes, 0),
  )
}

describe('golden bytes', () => {
  test('a frame of three messages, one of them empty', () => {
    expect(hex(frameOf('ab', '', 'c'))).toBe('0f000000' + '02000000' + '6162' + '00000000' + '01000000' + '63')
  })
  test('a message in several chunks is one message', () => {
    const message = queued([Buffer.from('a'), Buffer.from('bc')])
    expect(hex(encodeFrame([message], 0, 1, message.bytes))).toBe('07000000' + '03000000' + '616263')
  })
  test('a hello and its answers', () => {
    const hello = encodeHello('bulk', lab)
    expect(hex(hello)).toBe('02' + '01' + '07000000' + '03000000' + '6c6162' + '04000000' + '72616674')
    expect(decodeHello(hello)).toEqual({ version: 2, lane: 'bulk', ...lab })
    expect(hex(encodeHello('bulk', { ...lab, engine: undefined }))).toBe(
      '02' + '01' + '07000000' + '03000000' + '6c6162' + '00000000',
    )
    for (const [index, verdict] of verdicts.entries()) {
      const answer = encodeAnswer({ verdict, engine: 'raft' }, { version: 2 })
      expect(hex(answer)).toBe(`020${index}0400000072616674`)
      expect(decodeAnswer(answer)).toEqual({ verdict, engine: 'raft' })
    }
  })
  test('a hello and its answers in the first version', () => {
    const hello = encodeHello('bulk', lab, 1)
    expect(hex(hello)).toBe('01' + '01' + '07000000' + '03000000' + '6c6162')
    expect(decodeHello(hello)).toEqual({ version: 1, lane: 'bulk', ...lab, engine: undefined })
    const answers = verdicts.map((verdict) => encodeAnswer({ verdict, engine: 'raft' }, { version: 1 }))
    expect(answers.map(hex)).toEqual(['0100', '0101', '0102', '0103', '0104', '0105', '0106'])
    expect(answers.map(decodeAnswer)).toEqual(verdicts.map((verdict) => ({ verdict, engine: undefined })))
  })
  test('what a later release adds to hello and answer is passed over; an unknown version is answered in the first', () => {
    const later = bytes(`${hex(encodeHello('bulk', lab))}ff`)
    expect(decodeHello(later)).toEqual({ version: 2, lane: 'bulk', ...lab })
    expect(decodeAnswer(bytes('0200' + '04000000' + '72616674' + 'ff'))).toEqual({ verdict: 'welcome', engine: 'raft' })
    expect(hex(encodeAnswer({ verdict: 'unknown-version', engine: 'raft' }, { version: 3 }))).toBe('0103')
  })
  test('the kinds of a snapshot stream', () => {
    expect(kinds).toEqual({ offer: 1, accept: 2, reject: 3, chunk: 4, end: 5, confirm: 6, staging: 7 })
  })
})

describe('a frame', () => {
  const stream = Buffer.concat([frameOf('one', 'two'), frameOf('x'.repeat(1000)), frameOf('', 'last')])
  const whole = [['one', 'two'], ['x'.repeat(1000)], ['', 'last']]
  const cut = (pieces: Iterable<Uint8Array>, most = 4096): string[][] => {
    const frames: string[][] = []
    const cutter = new FrameCutter(most, (messages) =>
      frames.push(messages.map((message) => Buffer.from(message).toString())),
    )
    for (const piece of pieces) cutter.feed(piece)
    return frames
  }

  test('is found wherever the stream is cut', () => {
    for (let size = 1; size <= stream.length; size++) {
      const pieces: Uint8Array[] = []
      for (let at = 0; at < stream.length; at += size) pieces.push(stream.subarray(at, at + size))
      expect(cut(pieces)).toEqual(whole)
    }
  })
  test('within one chunk is not copied', () => {
    const chunk = new Uint8Array(frameOf('view'))
    let got: Uint8Array | undefined
    new FrameCutter(100, ([message]) => {
      got = message
    }).feed(chunk)
    expect(got?.buffer).toBe(chunk.buffer)
  })
  test('beyond the bound, or with messages that do not fill it, is malformed', () => {
    expect(() => cut([bytes('01100000')])).toThrow(MalformedFrame)
    expect(() => cut([bytes('ffffffff')])).toThrow(MalformedFrame)
    expect(() => cut([bytes('00000000')])).toThrow(MalformedFrame)
    expect(() => cut([bytes('03000000'), bytes('000000')])).toThrow(MalformedFrame)
    expect(() => splitFrame(bytes('05000000' + '61'))).toThrow('does not fit')
    expect(() => splitFrame(bytes('00000000' + '00'))).toThrow('length of a message')
  })
})

test('a hello is judged by version, cluster, group, lane and engine, in this order', () => {
  const verdict = (hello: Uint8Array): string => judge(decodeHello(hello), ['urgent', 'bulk'], lab)
  expect(verdict(encodeHello('urgent', lab))).toBe('welcome')
  expect(verdict(encodeHello('urgent', { cluster: 'field', group: 8, engine: 'vsr' }))).toBe('wrong-cluster')
  expect(verdict(encodeHello('urgent', { ...lab, group: 8, engine: 'vsr' }))).toBe('wrong-group')
  expect(verdict(encodeHello('snapshot', { ...lab, engine: 'vsr' }))).toBe('wrong-lane')
  expect(verdict(encodeHello('urgent', { ...lab, engine: 'vsr' }))).toBe('wrong-engine')
  expect(verdict(encodeHello('urgent', { ...lab, engine: undefined }))).toBe('welcome')
  expect(verdict(encodeHello('urgent', { ...lab, engine: 'vsr' }, 1))).toBe('welcome')
  expect(judge(decodeHello(encodeHello('bulk', lab)), ['bulk'], { ...lab, engine: undefined })).toBe('welcome')
  expect(verdict(bytes('03ffff'))).toBe('unknown-version')
})

test('a hello or an answer that does not parse is malformed', () => {
  for (const hello of [
    '',
    '01',
    '0100070000000300000061',
    '0100070000' + '0003000000' + '6c6162ff',
    '0200070000' + '0003000000' + '6c6162',
  ])
    expect(() => decodeHello(bytes(hello)), hello).toThrow()
  expect(() => decodeHello(encodeHello('bulk', { ...lab, engine: 'x'.repeat(64) }))).toThrow()
  expect(() => decodeHello(encodeHello('bulk', { ...lab, engine: '\u001b[2J' }))).toThrow('name of an engine')
  for (const answer of ['', '01', '0109', '0100ff', '0300', '0200', '0209' + '00000000'])
    expect(() => decodeAnswer(bytes(answer)), answer).toThrow()
})
