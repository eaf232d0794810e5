/** 64-bit rolling hash of strings and bytes: not for security, only to tell runs and entries apart. */
export class Digest {
  #low = 0xdeadbeef | 0
  #high = 0x41c6ce57

  add(text: string): void {
    for (let at = 0; at < text.length; at++) this.#mix(text.charCodeAt(at))
    this.#mix(0x100)
  }
  bytes(bytes: Uint8Array): void {
    for (const byte of bytes) this.#mix(byte)
    this.#mix(0x101)
  }
  number(value: number): void {
    this.#mix(value | 0)
    this.#mix(Math.floor(value / 0x1_0000_0000) | 0)
  }
  #mix(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x9e3779b1)
    this.#high = Math.imul(this.#high ^ value, 0x5f356495) ^ (this.#low >>> 13)
  }
  /** 16 hexadecimal digits. */
  get text(): string {
    return [this.#high, this.#low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
  }
}

/** The digest of some bytes. */
export const digestOf = (chunks: Iterable<Uint8Array>): string => {
  const digest = new Digest()
  for (const chunk of chunks) for (const byte of chunk) digest.number(byte)
  return digest.text
}

export const hex = (bytes: Uint8Array): string => {
  let text = ''
  for (const byte of bytes) text += byte < 16 ? `0${byte.toString(16)}` : byte.toString(16)
  return text
}
