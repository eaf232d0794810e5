import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  ByteReader,
  ByteWriter,
  checkBlock,
  decodeBatch,
  encodeBatch,
  encodeBlock,
  type LogTime,
  MalformedBytes,
  visitBlock,
  visitReplies,
} from '../src/index.ts'

const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')
const command = fc.record({ serial: fc.maxSafeNat(), machine: fc.nat(255), bytes: fc.uint8Array({ maxLength: 40 }) })

describe('blocks and batches', () => {
  it('have these bytes', () => {
    const block = encodeBlock(7n, 3, [{ serial: 4, machine: 1, bytes: new Uint8Array([0xaa]) }])
    expect(hex(block)).toBe(
      '0700000000000000' + '0300000000000000' + '01000000' + '0400000000000000' + '01' + '01000000' + 'aa',
    )
    expect(hex(encodeBatch(1.5 as LogTime, [block]))).toBe(`01000000000000f83f0100000022000000${hex(block)}`)
  })

  it('come back as they went', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        fc.maxSafeNat(),
        fc.array(command, { minLength: 1, maxLength: 9 }),
        (session, ackedBelow, commands) => {
          const block = encodeBlock(session, ackedBelow, commands)
          expect(checkBlock(block)).toEqual({ session, ackedBelow, count: commands.length })
          const { time, blocks } = decodeBatch(encodeBatch(9 as LogTime, [block, block]))
          expect(time).toBe(9)
          expect(blocks).toHaveLength(2)
          const seen: object[] = []
          visitBlock(blocks[1] ?? block, (serial, machine, bytes) =>
            seen.push({ serial, machine, bytes: Uint8Array.from(bytes) }),
          )
          expect(seen).toEqual(commands)
        },
      ),
    )
  })

  it('refuse every truncation, and whatever follows their end', () => {
    const block = encodeBlock(7n, 3, [{ serial: 4, machine: 1, bytes: new Uint8Array(5) }])
    for (let length = 0; length < block.length; length++)
      expect(() => checkBlock(block.subarray(0, length))).toThrow(MalformedBytes)
    expect(() => checkBlock(new Uint8Array([...block, 0]))).toThrow(MalformedBytes)
    expect(() => checkBlock(encodeBlock(7n, 3, []))).toThrow(MalformedBytes)
    const batch = encodeBatch(0 as LogTime, [block])
    for (let length = 0; length < batch.length; length++)
      expect(() => decodeBatch(batch.subarray(0, length))).toThrow(MalformedBytes)
  })

  it('replies of an unknown status are malformed', () => {
    expect(() => visitReplies(new ByteWriter().u64(1n).u32(1).u53(1).u8(9).u32(0).take(), () => {})).toThrow(
      MalformedBytes,
    )
  })
})

describe('bytes', () => {
  it('an integer above 2^53 - 1 is malformed', () => {
    expect(() => new ByteReader(new ByteWriter().u64(1n << 53n).take()).u53()).toThrow(MalformedBytes)
    expect(new ByteReader(new ByteWriter().u53(Number.MAX_SAFE_INTEGER).take()).u53()).toBe(Number.MAX_SAFE_INTEGER)
  })

  it('text that is not UTF-8 is malformed', () => {
    expect(() => new ByteReader(new ByteWriter().bytes(new Uint8Array([0xff])).take()).string()).toThrow(MalformedBytes)
  })

  it('what a writer handed over does not change when it goes on', () => {
    const writer = new ByteWriter(4)
    const first = writer.u32(1).take()
    writer.u32(2)
    expect(hex(first)).toBe('01000000')
  })
})
