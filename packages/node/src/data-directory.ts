/**
 * What stands in a node's data directory besides its journal, and the refusals that keep a voter from forgetting:
 *
 * - `identity.key`: the Ed25519 key, mode 0600;
 * - `node.json`: name, cluster, founders or that it joined, whether a journal was ever opened here, whether the members have changed since;
 * - `engine.json`: whose words stand in the journal;
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
  /** It joined a cluster that was there already: it never founds one. */
  joined: z.literal(true).optional(),
  /** The members are not the founders any more. */
  changed: z.literal(true).optional(),
  /** It was removed from the cluster, and never comes back under its id. */
  removed: z.literal(true).optional(),
  /** True once a journal was opened here: from then on the node has promises to keep. */
  journal: z.boolean(),
})
type DirectoryRecord = z.output<typeof recordSchema>

/** A record of its own: the first release refuses a `node.json` with a field that it does not know, and there must be a way back to it. */
const engineSchema = z.strictObject({ version: z.literal(1), engine: z.string() })

export const identityPath = (data: string): string => join(data, 'identity.key')
export const journalPath = (data: string): string => join(data, 'journal')
const recordPath = (data: string): string => join(data, 'node.json')
const enginePath = (data: string): string => join(data, 'engine.json')

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

/** Undefined: there is no such file. */
const readAs = async <T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> => {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    return schema.parse(JSON.parse(text))
  } catch {
    throw new DataDirectoryRefused(
      `${path} is not a node record of version 1. Restore it, or give the node a new data directory and a new identity.`,
    )
  }
}

const readRecord = (data: string): Promise<DirectoryRecord | undefined> => readAs(recordPath(data), recordSchema)

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

/**
 * A cluster keeps the engine that it was made with: another one would misread the journal. A directory of the first release does not say whose it is.
 * @throws DataDirectoryRefused if the journal is another engine's.
 */
export const checkEngine = async (data: string, engine: string): Promise<void> => {
  const record = await readAs(enginePath(data), engineSchema)
  if (record === undefined || record.engine === engine) return
  throw new DataDirectoryRefused(
    `the journal in ${data} was written by the engine "${record.engine}", and this node is to run "${engine}". A cluster keeps its engine: name "${record.engine}", or give the node a ` +
      'new directory and a new identity.',
  )
}

/** Records that the journal is this engine's: once it was made from it. Durable when it returns. */
export const recordEngine = async (data: string, engine: string): Promise<void> => {
  if ((await readAs(enginePath(data), engineSchema)) !== undefined) return
  await writeDurably(enginePath(data), `${JSON.stringify({ version: 1, engine })}\n`)
}

const sameFounders = (left: Readonly<Record<string, string>>, right: Readonly<Record<string, string>>): boolean =>
  Object.keys(left).length === Object.keys(right).length &&
  Object.entries(left).every(([name, id]) => right[name] === id)

const listed = (founders: Readonly<Record<string, string>>): string =>
  Object.entries(founders)
    .map(([name, id]) => `${name}=${id}`)
    .join(', ')

/** How a node begins: with founders, itself among them, or by joining a cluster that is there. */
export type Beginning =
  | { readonly type: 'found'; readonly founders: Readonly<Record<string, string>> }
  | { readonly type: 'join' }

/**
 * How the node of this directory begins, given the members of its configuration (name → peer id) and whether it is told to join. Once it has a journal
 * that is settled: as long as nobody was added or removed, the configured members must be the founders; afterwards they are only whom to talk to.
 * Addresses are no part of this: they may change.
 * @throws DataDirectoryRefused if the members are others than those that the journal was founded with, if it is told to join what it has founded, or if it
 * was removed.
 */
export const beginningOf = async (
  data: string,
  members: Readonly<Record<string, string>>,
  join: boolean,
): Promise<Beginning> => {
  const record = await readRecord(data)
  if (record?.removed === true)
    throw new DataDirectoryRefused(
      `the node of ${data} was removed from the cluster "${record.cluster}", and its id is never used again. ` +
        'To bring this machine back, run `conclave init` with an empty directory and add the new id with `conclave member add`.',
    )
  if (record === undefined || !record.journal) return join ? { type: 'join' } : { type: 'found', founders: members }
  if (record.joined === true || record.founders === undefined) return { type: 'join' }
  const { founders } = record
  if (join)
    throw new DataDirectoryRefused(
      `the node of ${data} is a founder of the cluster "${record.cluster}": start it without \`join\`.`,
    )
  if (record.changed === true || sameFounders(founders, members)) return { type: 'found', founders }
  throw new DataDirectoryRefused(
    `the journal in ${data} was founded with other members. Recorded: ${listed(founders)}. Configured: ${listed(members)}. ` +
      'Names and ids of the founders must stay as they were (addresses may change). Members are added with `conclave member add`.',
  )
}

const update = async (data: string, change: (record: DirectoryRecord) => DirectoryRecord): Promise<void> => {
  const record = await readRecord(data)
  if (record === undefined) throw new DataDirectoryRefused(`${recordPath(data)} disappeared while the node ran`)
  const changed = change(record)
  if (changed !== record) await writeRecord(data, changed)
}

/** Records that a journal with this beginning exists here. Durable when it returns. */
export const recordJournal = (data: string, beginning: Beginning): Promise<void> =>
  update(data, (record) => {
    if (record.journal) return record
    if (beginning.type === 'join') return { ...record, joined: true, journal: true }
    return { ...record, founders: { ...beginning.founders }, journal: true }
  })

/** Records that the members are not the founders any more. */
export const recordChange = (data: string): Promise<void> =>
  update(data, (record) => (record.changed === true ? record : { ...record, changed: true }))

/** Records that this node was removed. */
export const recordRemoved = (data: string): Promise<void> =>
  update(data, (record) => (record.removed === true ? record : { ...record, removed: true }))
