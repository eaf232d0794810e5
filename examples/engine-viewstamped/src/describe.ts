import { MalformedBytes } from '@conclave/interface'
import type { LogPart } from './log.ts'
import { decodeMessage } from './messages.ts'

/** A message in a few words, for people who read a timeline: `PREPARE view 3 commit 7 ops 8..9`. Undefined if it does not parse. */
export const describe = (bytes: Uint8Array): string | undefined => {
  try {
    const { type, ...fields } = decodeMessage(bytes)
    const words = Object.entries(fields).map(([name, value]) =>
      typeof value === 'number' ? `${name} ${value}` : inWords(value),
    )
    return [type.toUpperCase(), ...words].join(' ')
  } catch (error) {
    if (error instanceof MalformedBytes) return undefined
    throw error
  }
}

const inWords = ({ after, entries }: LogPart): string =>
  entries.length === 0 ? `nothing after ${after}` : `ops ${after + 1}..${after + entries.length}`
