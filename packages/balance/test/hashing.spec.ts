import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { KeyBytes } from '../src/hashing/key-bytes.ts'
import { Md5 } from '../src/hashing/md5.ts'
import { murmur3 } from '../src/hashing/murmur3.ts'

const digestOf = (bytes: Uint8Array): string => {
  const md5 = new Md5()
  md5.update(bytes)
  return Buffer.from(md5.words.buffer).toString('hex')
}
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

describe('MD5', () => {
  test('gives the digests of RFC 1321, appendix A.5', () => {
    const suite = {
      '': 'd41d8cd98f00b204e9800998ecf8427e',
      a: '0cc175b9c0f1b6a831c399e269772661',
      abc: '900150983cd24fb0d6963f7d28e17f72',
      'message digest': 'f96b697d7cb7938d525a2f31aaf161d0',
      abcdefghijklmnopqrstuvwxyz: 'c3fcd3d76192e4007dfb496cca67e13b',
      ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789: 'd174ab98d277d9f5a5611c2c9f419d9f',
      '12345678901234567890123456789012345678901234567890123456789012345678901234567890':
        '57edf4a22be3c955ac49da2e2107b67a',
    }
    for (const [message, digest] of Object.entries(suite)) expect(digestOf(text(message))).toBe(digest)
  })

  test('agrees with OpenSSL at every length up to three blocks, and for any bytes', () => {
    const expected = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex')
    for (let length = 0; length <= 192; length++) {
      const bytes = Uint8Array.from({ length }, (_, at) => at * 7 + length)
      expect(digestOf(bytes)).toBe(expected(bytes))
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1000 }), (bytes) => digestOf(bytes) === expected(bytes)),
      { seed: 1 },
    )
  })

  test('of a part of an array ends where the part ends', () => {
    const md5 = new Md5()
    md5.update(text('abcdef'), 3)
    expect(Buffer.from(md5.words.buffer).toString('hex')).toBe('900150983cd24fb0d6963f7d28e17f72')
  })
})

test('MurmurHash3 gives the published hashes, for each length of the last word', () => {
  const known = [
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['a', 0x9747b28c, 0x7fa09ea6],
    ['aa', 0x9747b28c, 0x5d211726],
    ['aaa', 0x9747b28c, 0x283e0130],
    ['aaaa', 0x9747b28c, 0x5a97808a],
    ['Hello, world!', 0x9747b28c, 0x24884cba],
    ['ππππππππ', 0x9747b28c, 0xd58063c1],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
  ] as const
  for (const [message, seed, hash] of known) {
    const bytes = text(message)
    expect(murmur3(bytes, bytes.length, seed) >>> 0).toBe(hash)
  }
})

describe('the bytes of a key', () => {
  const bytesOf = (key: string | Uint8Array): Uint8Array => {
    const bytes = new KeyBytes()
    bytes.set(key)
    return bytes.bytes.slice(0, bytes.length)
  }

  test('are those of UTF-8, for half a surrogate pair and for very long texts too', () => {
    const odd = ['', 'é', '漢字', '😀', '\ud83d', '\ude00', '\ud83dx', 'x\ud83d', '\ude00\ud83d', 'ä'.repeat(5000)]
    for (const key of odd) expect(bytesOf(key)).toEqual(text(key))
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 50 }), (key) => {
        expect(bytesOf(key)).toEqual(text(key))
      }),
      { seed: 1 },
    )
  })

  test('are those of an array as they are', () => {
    expect(bytesOf(Uint8Array.of(0xff, 0, 0x80))).toEqual(Uint8Array.of(0xff, 0, 0x80))
  })
})
