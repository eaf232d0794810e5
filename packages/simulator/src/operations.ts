import { type Command, type Random, sessionCommands, sessionsMachine } from '@conclave/interface'
import type { KvInput } from '@conclave/linearizability'
import { encodeDelete, encodeKey, encodePut } from '@conclave/machine-kv'
import { chance, integer } from './streams.ts'

/** A write before it is sent. */
export interface Draft {
  readonly command: Command
  /** As the checker sees it; nothing for commands of the session table. */
  readonly input?: Exclude<KvInput, { readonly type: 'get' | 'cas' }>
  readonly words: string
}

export const openSession: Draft = {
  command: { serial: 0, machine: sessionsMachine, bytes: Uint8Array.of(sessionCommands.open) },
  words: 'open a session',
}

const encoder = new TextEncoder()
/** The store is machine number 1. */
const store = 1

/**
 * A put, sometimes on condition of the revision that the client saw last or of a wrong one, or a deletion. Values are unique, so that one that is
 * written twice, or by nobody, can be told.
 */
export const draftWrite = (
  random: Random,
  serial: number,
  client: number,
  key: string,
  seen: bigint | undefined,
): Draft => {
  const [conditional, wrong, deletes] = [chance(random, 0.3), chance(random, 0.2), chance(random, 0.15)]
  const padding = integer(random, 10, 90)
  const expected = wrong || seen === undefined ? BigInt(integer(random, 0, 20)) : seen
  const ifRevision = conditional ? expected : undefined
  const suffix = ifRevision === undefined ? '' : ` if @${ifRevision}`
  const name = encodeKey(key)
  if (deletes)
    return {
      command: { serial, machine: store, bytes: encodeDelete(name, ifRevision) },
      input: { type: 'delete', key, ...(ifRevision !== undefined && { ifRevision }) },
      words: `delete ${key}${suffix}`,
    }
  const value = `${client}/${serial}/`.padEnd(padding, '.')
  return {
    command: { serial, machine: store, bytes: encodePut(name, encoder.encode(value), ifRevision) },
    input: { type: 'put', key, value, ...(ifRevision !== undefined && { ifRevision }) },
    words: `put ${key} = ${client}/${serial}${suffix}`,
  }
}
