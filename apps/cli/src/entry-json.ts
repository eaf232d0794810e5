import type { KvEntry, KvEvent } from '@conclave/client'

const strict = new TextDecoder('utf-8', { fatal: true })

/** A value as text, or as base64 if it is no text. */
export const valueJson = (value: Uint8Array): { readonly value: string } | { readonly valueBase64: string } => {
  try {
    return { value: strict.decode(value) }
  } catch {
    return { valueBase64: Buffer.from(value).toString('base64') }
  }
}

/** An entry under `--json`; revisions are strings, since they may exceed what JSON's numbers hold. */
export const entryJson = (entry: KvEntry, withValue = true): Record<string, unknown> => ({
  key: entry.key,
  ...(withValue ? valueJson(entry.value) : {}),
  createRevision: String(entry.createRevision),
  modRevision: String(entry.modRevision),
  version: entry.version,
})

export const eventJson = (event: KvEvent): Record<string, unknown> =>
  event.type === 'delete'
    ? { type: 'delete', key: event.key, revision: String(event.revision) }
    : {
        type: 'put',
        key: event.key,
        ...valueJson(event.value),
        revision: String(event.revision),
        version: event.version,
      }
