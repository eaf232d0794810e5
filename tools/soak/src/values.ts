/**
 * Values that prove themselves: an id, and filler that follows from it, so that a value which was mixed up or cut is seen wherever it comes back.
 */
import { textOf } from '@conclave/client'

const fillerOf = (id: string): string => {
  let hash = 2166136261
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 16777619) >>> 0
  // 100 to 900 bytes: enough log that snapshots are taken every few seconds.
  return hash
    .toString(36)
    .padStart(7, '0')
    .repeat(15 + (hash % 115))
}

/** What is stored for `id`, which has no space. */
export const storedValue = (id: string): string => `${id} ${fillerOf(id)}`

/** The id of a stored value. @throws Error if it is not what was stored for any id. */
export const idOfValue = (value: Uint8Array): string => {
  const text = textOf(value)
  const id = text.slice(0, Math.max(0, text.indexOf(' ')))
  if (id === '' || text !== storedValue(id))
    throw new Error(`a value that nobody wrote: ${JSON.stringify(text.slice(0, 200))}`)
  return id
}
