/** MD5 (RFC 1321). For placing keys as libketama does; it protects nothing. */

/** floor(2^32 × |sin(i + 1)|): RFC 1321, section 3.4. Written out, since the last bit of a sine may differ from one JavaScript engine to another. */
const sines = Int32Array.of(
  0xd76aa478,
  0xe8c7b756,
  0x242070db,
  0xc1bdceee,
  0xf57c0faf,
  0x4787c62a,
  0xa8304613,
  0xfd469501,
  0x698098d8,
  0x8b44f7af,
  0xffff5bb1,
  0x895cd7be,
  0x6b901122,
  0xfd987193,
  0xa679438e,
  0x49b40821,
  0xf61e2562,
  0xc040b340,
  0x265e5a51,
  0xe9b6c7aa,
  0xd62f105d,
  0x02441453,
  0xd8a1e681,
  0xe7d3fbc8,
  0x21e1cde6,
  0xc33707d6,
  0xf4d50d87,
  0x455a14ed,
  0xa9e3e905,
  0xfcefa3f8,
  0x676f02d9,
  0x8d2a4c8a,
  0xfffa3942,
  0x8771f681,
  0x6d9d6122,
  0xfde5380c,
  0xa4beea44,
  0x4bdecfa9,
  0xf6bb4b60,
  0xbebfbc70,
  0x289b7ec6,
  0xeaa127fa,
  0xd4ef3085,
  0x04881d05,
  0xd9d4d039,
  0xe6db99e5,
  0x1fa27cf8,
  0xc4ac5665,
  0xf4292244,
  0x432aff97,
  0xab9423a7,
  0xfc93a039,
  0x655b59c3,
  0x8f0ccc92,
  0xffeff47d,
  0x85845dd1,
  0x6fa87e4f,
  0xfe2ce6e0,
  0xa3014314,
  0x4e0811a1,
  0xf7537e82,
  0xbd3af235,
  0x2ad7d2bb,
  0xeb86d391,
)

/** By how much each step rotates: four amounts for each of the four rounds. */
const rotations = Uint8Array.of(7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21)

/** One MD5 at a time; what it needs is allocated once. */
export class Md5 {
  /** The digest of the last `update`: four words, each little-endian in the order of the bytes. */
  readonly words = new Int32Array(4)
  readonly #block = new Int32Array(16)

  /** Digests the first `length` bytes. */
  update(bytes: Uint8Array, length = bytes.length): void {
    const { words } = this
    words[0] = 0x67452301
    words[1] = 0xefcdab89
    words[2] = 0x98badcfe
    words[3] = 0x10325476
    // A one bit, zeros, and the length in 64 bits follow the message: it ends in the block in which there is room for nine bytes more.
    const blocks = ((length + 8) >>> 6) + 1
    for (let block = 0; block < blocks; block++) {
      this.#load(bytes, length, block * 64)
      if (block === blocks - 1) {
        this.#block[14] = length << 3
        this.#block[15] = length >>> 29
      }
      this.#mix()
    }
  }

  /** The 64 bytes from `from` on, with the one bit where the message ends and zeros behind it. */
  #load(bytes: Uint8Array, length: number, from: number): void {
    const block = this.#block.fill(0)
    const end = Math.min(64, length - from)
    for (let at = 0; at < end; at++)
      block[at >> 2] = (block[at >> 2] ?? 0) | ((bytes[from + at] ?? 0) << ((at & 3) * 8))
    if (end >= 0 && end < 64) block[end >> 2] = (block[end >> 2] ?? 0) | (0x80 << ((end & 3) * 8))
  }

  #mix(): void {
    const words = this.words
    let a = words[0] ?? 0
    let b = words[1] ?? 0
    let c = words[2] ?? 0
    let d = words[3] ?? 0
    for (let step = 0; step < 64; step++) {
      const round = step >> 4
      let mixed: number
      let word: number
      if (round === 0) {
        mixed = (b & c) | (~b & d)
        word = step
      } else if (round === 1) {
        mixed = (b & d) | (c & ~d)
        word = (5 * step + 1) & 15
      } else if (round === 2) {
        mixed = b ^ c ^ d
        word = (3 * step + 5) & 15
      } else {
        mixed = c ^ (b | ~d)
        word = (7 * step) & 15
      }
      const sum = (a + mixed + (sines[step] ?? 0) + (this.#block[word] ?? 0)) | 0
      const by = rotations[round * 4 + (step & 3)] ?? 0
      a = d
      d = c
      c = b
      b = (b + ((sum << by) | (sum >>> (32 - by)))) | 0
    }
    words[0] = (words[0] ?? 0) + a
    words[1] = (words[1] ?? 0) + b
    words[2] = (words[2] ?? 0) + c
    words[3] = (words[3] ?? 0) + d
  }
}
