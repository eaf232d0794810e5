/** The finalizer of MurmurHash3: mixes 32 bits so that each bit of the result depends on each bit of `h`. One to one. */
export const mix32 = (h: number): number => {
  let mixed = h ^ (h >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

const scramble = (k: number): number => {
  const spread = Math.imul(k, 0xcc9e2d51)
  return Math.imul((spread << 15) | (spread >>> 17), 0x1b873593)
}

/** MurmurHash3_x86_32 (Appleby) of the first `length` bytes, as a signed 32-bit integer. Fast and well spread; not against an adversary. */
export const murmur3 = (bytes: Uint8Array, length: number, seed: number): number => {
  let h = seed | 0
  const whole = length & ~3
  for (let at = 0; at < whole; at += 4) {
    const k =
      (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)
    h ^= scramble(k)
    h = (h << 13) | (h >>> 19)
    h = (Math.imul(h, 5) + 0xe6546b64) | 0
  }
  let rest = 0
  for (let at = length - 1; at >= whole; at--) rest = (rest << 8) | (bytes[at] ?? 0)
  if (whole < length) h ^= scramble(rest)
  return mix32(h ^ length)
}
