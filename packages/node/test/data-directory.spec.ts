import { mkdir, mkdtemp, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkFounders, identityPath, journalPath, prepareDirectory, recordJournal } from '../src/data-directory.ts'
import { initNode } from '../src/init.ts'

let data = ''
beforeEach(async () => {
  data = join(await mkdtemp(join(tmpdir(), 'conclave-data-')), 'a')
})
afterEach(() => rm(join(data, '..'), { recursive: true, force: true }))

const init = () => initNode({ name: 'a', data, cluster: 'c' })
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
  await recordJournal(data, { a: 'x' })
  await prepareDirectory(data, 'a', 'c')
  await rm(journalPath(data), { recursive: true })
  await expect(prepareDirectory(data, 'a', 'c')).rejects.toThrow('without its journal')
})

test('a journal without its key is refused', async () => {
  await init()
  await journal()
  await recordJournal(data, { a: 'x' })
  await unlink(identityPath(data))
  await expect(prepareDirectory(data, 'a', 'c')).rejects.toThrow('lost its identity key')
})

test('a directory of another node or cluster is refused', async () => {
  await init()
  await expect(prepareDirectory(data, 'b', 'c')).rejects.toThrow('belongs to node "a" of cluster "c"')
  await expect(prepareDirectory(data, 'a', 'd')).rejects.toThrow('belongs to node "a" of cluster "c"')
})

test('the founders of a journal cannot change', async () => {
  await init()
  await checkFounders(data, { a: 'x', b: 'y' })
  await journal()
  await recordJournal(data, { a: 'x', b: 'y' })
  await checkFounders(data, { b: 'y', a: 'x' })
  await expect(checkFounders(data, { a: 'x' })).rejects.toThrow('founded with other members')
  await expect(checkFounders(data, { a: 'x', b: 'z' })).rejects.toThrow('founded with other members')
})
