import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { IdentityUnfit, identityFromProtobuf, loadIdentity, loadOrCreateIdentity } from '../src/index.ts'

let directory: string
let file: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'conclave-identity-'))
  file = join(directory, 'identity.key')
})
afterEach(() => rm(directory, { recursive: true }))

test('is made once, for its owner alone, and found again', async () => {
  expect(await loadIdentity(file)).toBeUndefined()
  const made = await loadOrCreateIdentity(file)
  expect(made.id).toMatch(/^12D3KooW/)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(await readdir(directory)).toEqual(['identity.key'])
  expect((await loadOrCreateIdentity(file)).id).toBe(made.id)
  expect((await loadIdentity(file))?.id).toBe(made.id)
})

test('is refused if others may read it, with the command that mends it', async () => {
  await loadOrCreateIdentity(file)
  await chmod(file, 0o640)
  await expect(loadOrCreateIdentity(file)).rejects.toThrow(`chmod 600 ${file}`)
  await expect(loadOrCreateIdentity(file)).rejects.toThrow(IdentityUnfit)
})

test('is refused, not replaced, if it is garbage', async () => {
  for (const garbage of [new Uint8Array(), new Uint8Array(70).fill(9), new Uint8Array(10_000)]) {
    await writeFile(file, garbage, { mode: 0o600 })
    await expect(loadOrCreateIdentity(file)).rejects.toThrow(IdentityUnfit)
  }
  await expect(identityFromProtobuf(new Uint8Array(3))).rejects.toThrow(IdentityUnfit)
})

test('says so when the directory is not there', async () => {
  await expect(loadOrCreateIdentity(join(directory, 'missing', 'key'))).rejects.toThrow(IdentityUnfit)
})
