import { mkdir, mkdtemp, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  beginningOf,
  identityPath,
  journalPath,
  prepareDirectory,
  recordChange,
  recordJournal,
  recordRemoved,
} from '../src/data-directory.ts'
import { initNode } from '../src/init.ts'

let data = ''
beforeEach(async () => {
  data = join(await mkdtemp(join(tmpdir(), 'conclave-data-')), 'a')
})
afterEach(() => rm(join(data, '..'), { recursive: true, force: true }))

const init = () => initNode({ name: 'a', data, cluster: 'c' })
const found = (founders: Record<string, string>) => ({ type: 'found', founders }) as const
const journal = async () => {
  await mkdir(journalPath(data))
  await writeFile(join(journalPath(data), 'segment'), 'x')
}

test('init makes a key that only its owner reads, once', async () => {
  const { id } = await init()
  expect((await stat(identityPath(data))).mode & 0o777).toBe(0o600)
  expect((await init()).id).toBe(id)
})

test('a key without its record and journal is refused', async () => {
  await init()
  await unlink(join(data, 'node.json'))
  await expect(prepareDirectory(data, 'a', 'c')).rejects.toThrow('identity key without its journal')
})

test('a journal that was there and is gone is refused', async () => {
  await init()
  await journal()
  await recordJournal(data, found({ a: 'x' }))
  await prepareDirectory(data, 'a', 'c')
  await rm(journalPath(data), { recursive: true })
  await expect(prepareDirectory(data, 'a', 'c')).rejects.toThrow('without its journal')
})

test('a journal without its key is refused', async () => {
  await init()
  await journal()
  await recordJournal(data, found({ a: 'x' }))
  await unlink(identityPath(data))
  await expect(prepareDirectory(data, 'a', 'c')).rejects.toThrow('lost its identity key')
})

test('a directory of another node or cluster is refused', async () => {
  await init()
  await expect(prepareDirectory(data, 'b', 'c')).rejects.toThrow('belongs to node "a" of cluster "c"')
  await expect(prepareDirectory(data, 'a', 'd')).rejects.toThrow('belongs to node "a" of cluster "c"')
})

test('the founders of a journal cannot change, as long as no member has changed', async () => {
  await init()
  const founders = { a: 'x', b: 'y' }
  expect(await beginningOf(data, founders, false)).toEqual(found(founders))
  await journal()
  await recordJournal(data, found(founders))
  expect(await beginningOf(data, { b: 'y', a: 'x' }, false)).toEqual(found(founders))
  await expect(beginningOf(data, { a: 'x' }, false)).rejects.toThrow('founded with other members')
  await expect(beginningOf(data, { a: 'x', b: 'z' }, false)).rejects.toThrow('founded with other members')
  await expect(beginningOf(data, founders, true)).rejects.toThrow('start it without `join`')
  await recordChange(data)
  expect(await beginningOf(data, { a: 'x', c: 'z' }, false)).toEqual(found(founders))
})

test('who has joined never founds, whatever it is told later', async () => {
  await init()
  expect(await beginningOf(data, { b: 'y' }, true)).toEqual({ type: 'join' })
  await journal()
  await recordJournal(data, { type: 'join' })
  expect(await beginningOf(data, { a: 'x', b: 'y' }, false)).toEqual({ type: 'join' })
  await recordChange(data)
  expect(await beginningOf(data, { a: 'x' }, true)).toEqual({ type: 'join' })
})

test('who was removed never starts again', async () => {
  await init()
  await recordJournal(data, found({ a: 'x' }))
  await recordRemoved(data)
  await expect(beginningOf(data, { a: 'x' }, false)).rejects.toThrow('was removed from the cluster "c"')
})
