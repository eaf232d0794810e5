/**
 * What stands in a node's data directory besides its journal, and the refusals that keep a voter from forgetting:
 *
 * - `identity.key`: the Ed25519 key, mode 0600;
 * - `node.json`: name, cluster, founders, and whether a journal was ever opened here;
 * - `journal/`: the log.
 *
 * `node.json` is written before the key, so that a key without it is a key that was carried here without its past; and it says
 * `journal: true` before the engine takes its first step, so that a lost journal is told from a new node.
 */
import { constants } from 'node:fs'
import { access, mkdir, open, readdir, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { DataDirectoryRefused } from './errors.ts'

const recordSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  cluster: z.string(),
  /** Name → peer id; absent until the node was started for the first time. */
  founders: z.record(z.string(), z.string()).optional(),
  /** True once a journal was opened here: from then on the node has promises to keep. */
  journal: z.boolean(),
})
type DirectoryRecord = z.output<typeof recordSchema>

export const identityPath = (data: string): string => join(data, 'identity.key')
export const journalPath = (data: string): string => join(data, 'journal')
const recordPath = (data: string): string => join(data, 'node.json')

const exists = (path: string): Promise<boolean> =>
  access(path, constants.F_OK).then(
    () => true,
    () => false,
  )

const syncDirectory = async (path: string): Promise<void> => {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Replaces a file so that after a crash it is the old one or the new one, never a part of either. */
const writeDurably = async (path: string, text: string): Promise<void> => {
  const temporary = `${path}.new`
  const handle = await open(temporary, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, path)
  await syncDirectory(dirname(path))
}

const writeRecord = (data: string, record: DirectoryRecord): Promise<void> =>
  writeDurably(recordPath(data), `${JSON.stringify(record, undefined, 2)}\n`)

const readRecord = async (data: string): Promise<DirectoryRecord | undefined> => {
  let text: string
  try {
    text = await readFile(recordPath(data), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    return recordSchema.parse(JSON.parse(text))
  } catch {
    throw new DataDirectoryRefused(
      `${recordPath(data)} is not a node record of version 1. Restore it, or give the node a new data directory and a new identity.`,
    )
  }
}

const hasJournal = async (data: string): Promise<boolean> => {
  try {
    // A lock alone is what is left when the segments were removed.
    return (await readdir(journalPath(data))).some((name) => !name.startsWith('lock'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/**
 * Makes a directory ready for `name` of `cluster`, or checks that it is theirs: to be called before the key is loaded or made.
 * @throws DataDirectoryRefused if it belongs to another node or cluster, or if its key, record and journal do not go together.
 */
export const prepareDirectory = async (data: string, name: string, cluster: string): Promise<void> => {
  await mkdir(data, { recursive: true, mode: 0o700 })
  const [record, key, journal] = await Promise.all([readRecord(data), exists(identityPath(data)), hasJournal(data)])
  const anew =
    'A node that lost its past must not vote again under its old id: move this directory away, run `conclave init` for a new identity, and let it join as a new member.'
  if (record === undefined) {
    if (key) throw new DataDirectoryRefused(`${data} holds an identity key without its journal and record. ${anew}`)
    if (journal) throw new DataDirectoryRefused(`${data} holds a journal without its identity. ${anew}`)
    await writeRecord(data, { version: 1, name, cluster, journal: false })
    return
  }
  if (record.name !== name || record.cluster !== cluster) {
    throw new DataDirectoryRefused(
      `${data} belongs to node "${record.name}" of cluster "${record.cluster}", not to "${name}" of "${cluster}". Give this node a directory of its own.`,
    )
  }
  if (record.journal && !key) throw new DataDirectoryRefused(`${data} has lost its identity key. ${anew}`)
  if (record.journal && !journal)
    throw new DataDirectoryRefused(`${data} holds an identity key without its journal. ${anew}`)
}

const sameFounders = (left: Readonly<Record<string, string>>, right: Readonly<Record<string, string>>): boolean =>
  Object.keys(left).length === Object.keys(right).length &&
  Object.entries(left).every(([name, id]) => right[name] === id)

const listed = (founders: Readonly<Record<string, string>>): string =>
  Object.entries(founders)
    .map(([name, id]) => `${name}=${id}`)
    .join(', ')

/**
 * Checks that the founders (name → peer id) are those that the journal was founded with. Addresses are no part of this: they may change.
 * @throws DataDirectoryRefused if they differ from those of an existing journal.
 */
export const checkFounders = async (data: string, founders: Readonly<Record<string, string>>): Promise<void> => {
  const record = await readRecord(data)
  if (record?.founders === undefined || !record.journal || sameFounders(record.founders, founders)) return
  throw new DataDirectoryRefused(
    `the journal in ${data} was founded with other members. Recorded: ${listed(record.founders)}. Configured: ${listed(founders)}. ` +
      'Names and ids of the founders must stay as they were (addresses may change).',
  )
}

/** Records that a journal with these founders exists here. Durable when it returns. */
export const recordJournal = async (data: string, founders: Readonly<Record<string, string>>): Promise<void> => {
  const record = await readRecord(data)
  if (record === undefined) throw new DataDirectoryRefused(`${recordPath(data)} disappeared while the node started`)
  if (record.journal) return
  await writeRecord(data, { ...record, founders: { ...founders }, journal: true })
}
