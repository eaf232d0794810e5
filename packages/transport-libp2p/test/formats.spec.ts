import { describe, expect, test } from 'vitest'
import { MalformedFrame } from '../src/errors.ts'
import { encodeFrame, FrameCutter, queued, splitFrame } from '../src/frame.ts'
import { decodeHello, decodeVerdict, encodeHello, encodeVerdict, judge, verdicts } from '../src/hello.ts'
import { kinds } from '../src/transfer-wire.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const bytes = (of: string): Uint8Array => new Uint8Array(Buffer.from(of, 'hex'))
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
    expect(hex(encodeHello('bulk', 7, 'lab'))).toBe('01' + '01' + '07000000' + '03000000' + '6c6162')
    expect(decodeHello(encodeHello('bulk', 7, 'lab'))).toEqual({ version: 1, lane: 'bulk', group: 7, cluster: 'lab' })
    expect(verdicts.map((verdict) => hex(encodeVerdict(verdict)))).toEqual([
      '0100',
      '0101',
      '0102',
      '0103',
      '0104',
      '0105',
    ])
    for (const verdict of verdicts) expect(decodeVerdict(encodeVerdict(verdict))).toBe(verdict)
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

test('a hello is judged by version, cluster, group and lane, in this order', () => {
  const verdict = (hello: Uint8Array): string => judge(decodeHello(hello), ['urgent', 'bulk'], 'lab', 7)
  expect(verdict(encodeHello('urgent', 7, 'lab'))).toBe('welcome')
  expect(verdict(encodeHello('urgent', 7, 'field'))).toBe('wrong-cluster')
  expect(verdict(encodeHello('urgent', 8, 'lab'))).toBe('wrong-group')
  expect(verdict(encodeHello('snapshot', 7, 'lab'))).toBe('wrong-lane')
  expect(verdict(bytes('02ffff'))).toBe('unknown-version')
  expect(() => decodeHello(bytes('01'))).toThrow()
  expect(() => decodeHello(bytes('0100070000000300000061'))).toThrow()
  expect(() => decodeVerdict(bytes('0109'))).toThrow()
  expect(() => decodeVerdict(bytes(''))).toThrow()
})
