/** A sequencer: what a holder hands to servers, so that they can tell whether it still holds the lock (section 2.4 of the paper). */
import { ByteReader, ByteWriter, MalformedBytes } from '@conclave/interface'
import { limits } from './limits.ts'
import { isPath } from './paths.ts'
import type { Grant } from './replies.ts'

export interface Sequencer extends Grant {
  readonly path: string
}

const version = 1
const modes = ['exclusive', 'shared'] as const

/** docs/formats/chubby.md */
export const encodeSequencer = ({ path, mode, token, lockGeneration, instance }: Sequencer): Uint8Array =>
  new ByteWriter(64)
    .u8(version)
    .u8(modes.indexOf(mode))
    .u64(token)
    .u64(lockGeneration)
    .u64(instance)
    .string(path)
    .take()

/** @throws MalformedBytes */
export const decodeSequencer = (bytes: Uint8Array): Sequencer => {
  const reader = new ByteReader(bytes)
  if (reader.u8() !== version) throw new MalformedBytes('a sequencer of another version')
  const mode = modes[reader.u8()]
  if (mode === undefined) throw new MalformedBytes('a sequencer of no lock mode')
  const sequencer = { mode, token: reader.u64(), lockGeneration: reader.u64(), instance: reader.u64() }
  const path = reader.string(limits.pathBytes)
  if (!isPath(path)) throw new MalformedBytes('a sequencer of no path')
  reader.end()
  return { ...sequencer, path }
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** For headers and environment variables: base64url, opaque to its holder. */
export const sequencerText = (sequencer: Sequencer): string => {
  const bytes = encodeSequencer(sequencer)
  let text = ''
  for (let at = 0; at < bytes.length; at += 3) {
    const word = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
    const digits = Math.min(4, bytes.length - at + 1)
    for (let digit = 0; digit < digits; digit++) text += alphabet[(word >>> (18 - 6 * digit)) & 63]
  }
  return text
}

/** @throws MalformedBytes if it is no sequencer. */
export const parseSequencer = (text: string): Sequencer => {
  const sequencer = decodeSequencer(bytesOf(text))
  if (sequencerText(sequencer) !== text) throw new MalformedBytes('a sequencer has one spelling')
  return sequencer
}

const bytesOf = (text: string): Uint8Array => {
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4))
  let [at, word, bits] = [0, 0, 0]
  for (const character of text) {
    const value = alphabet.indexOf(character)
    if (value < 0) throw new MalformedBytes('a sequencer is base64url')
    word = ((word << 6) | value) & 0xffffff
    bits += 6
    if (bits < 8) continue
    bits -= 8
    bytes[at++] = (word >>> bits) & 0xff
  }
  return bytes
}
