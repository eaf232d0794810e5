import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../..', import.meta.url))

const flatten = (value: unknown, path: string, into: Map<string, string>): void => {
  if (typeof value !== 'object' || value === null) {
    into.set(path, JSON.stringify(value))
    return
  }
  for (const [key, inner] of Object.entries(value)) flatten(inner, `${path}/${key}`, into)
}

/** Real input: this project's own package-lock.json, value by value, and the list of files under node_modules. Keys are unique and at most 1 KiB. */
export const realRecords = async (): Promise<Map<string, string>> => {
  const records = new Map<string, string>()
  flatten(JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')), 'lock', records)
  const files = await readdir(join(root, 'node_modules'), { recursive: true, withFileTypes: true })
  for (const file of files) {
    if (records.size >= 60_000) break
    const path = join(file.parentPath, file.name).slice(root.length)
    records.set(
      `${file.isDirectory() ? 'folder' : 'file'}/${path}`,
      JSON.stringify({ name: file.name, folder: file.parentPath.slice(root.length) }),
    )
  }
  return new Map([...records].filter(([key]) => Buffer.byteLength(key) <= 1024))
}

export const ndjson = (records: Iterable<readonly [string, string]>): string =>
  [...records].map(([key, value]) => `${JSON.stringify({ key, value })}\n`).join('')
