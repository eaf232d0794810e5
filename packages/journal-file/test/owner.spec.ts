import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DataDirectoryInUse } from '@conclave/interface'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fileJournal } from '../src/index.ts'
import { put, quiet, text, write } from './support.ts'

let directory = ''
const children: ChildProcess[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'conclave-owner-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) await ended(child, 'SIGKILL')
  await rm(directory, { recursive: true, force: true })
})

const ended = (child: ChildProcess, signal: NodeJS.Signals): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once('exit', () => resolve())
    child.kill(signal)
  })

/** Starts a process that opens the journal; resolves to it and the first line that it prints. */
const start = (): Promise<{ child: ChildProcess; line: string }> =>
  new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      ['--conditions=@conclave/source', new URL('owner-child.ts', import.meta.url).pathname, directory],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    )
    children.push(child)
    child.once('error', reject)
    let line = ''
    child.stdout?.on('data', (data: Buffer) => {
      line += data.toString()
      if (line.includes('\n')) resolve({ child, line: line.trim() })
    })
  })

const journal = () => fileJournal({ directory, segmentBytes: 4096 })
const locks = async (): Promise<string[]> => (await readdir(directory)).filter((name) => name.startsWith('lock'))

test.skipIf(process.platform !== 'linux')('a dead owner whose parent has not waited for it is no owner', async () => {
  // The shell becomes a `sleep` that waits for nobody: its child stays a zombie.
  const owner = `'${process.execPath}' --conditions=@conclave/source '${new URL('owner-child.ts', import.meta.url).pathname}' '${directory}'`
  const parent = spawn('bash', ['-c', `${owner} <&3 3<&- & exec sleep 60`], {
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
  })
  children.push(parent)
  const line = await new Promise<string>((resolve) =>
    parent.stdout?.once('data', (data: Buffer) => resolve(data.toString())),
  )
  const pid = Number(/^open (\d+)/.exec(line)?.[1])
  await expect(journal().open(quiet)).rejects.toThrow(DataDirectoryInUse)
  process.kill(pid, 'SIGKILL')
  const state = async (): Promise<string> => (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/.*\) /s, '')
  while (!/^Z (\S+ ){16}[01] /.test(await state())) await new Promise((resolve) => setImmediate(resolve))
  const mine = journal()
  await mine.open(quiet)
  await mine.close()
})

test('a second process is refused and told who owns the directory; when that one dies, even by SIGKILL, it gets in', async () => {
  const first = await start()
  expect(first.line).toBe(`open ${first.child.pid}`)
  const second = await start()
  expect(second.line).toMatch(new RegExp(`^DataDirectoryInUse .*in use by process ${first.child.pid}: stop it first`))
  await expect(journal().open(quiet)).rejects.toThrow(DataDirectoryInUse)
  await ended(first.child, 'SIGKILL')
  const mine = journal()
  await mine.open(quiet)
  await write(mine, put(1, text('mine now')))
  await mine.close()
  expect(await locks()).toEqual([])
})

test('of many processes that find a stale lock exactly one gets in', async () => {
  const dead = await start()
  await ended(dead.child, 'SIGKILL')
  expect(await locks()).toEqual(['lock-1'])
  const lines = (await Promise.all([start(), start(), start(), start(), start()])).map(({ line }) => line.split(' ')[0])
  expect(lines.sort()).toEqual([
    'DataDirectoryInUse',
    'DataDirectoryInUse',
    'DataDirectoryInUse',
    'DataDirectoryInUse',
    'open',
  ])
})

test('the same process may not open a directory twice', async () => {
  const mine = journal()
  await mine.open(quiet)
  await expect(journal().open(quiet)).rejects.toThrow(/in use by this process/)
  await mine.close()
  const again = journal()
  await again.open(quiet)
  await again.close()
})

test.each([
  ['another process that was given the same pid', { start: '1' }],
  ['a process of an earlier boot', { boot: '00000000-0000-0000-0000-000000000000' }],
])('a lock of %s is taken over: so a restarted pid 1 in a container gets in', async (_, change) => {
  const mine = journal()
  await mine.open(quiet)
  const own: object = JSON.parse(await readFile(join(directory, 'lock-1'), 'utf8'))
  await mine.close()
  await writeFile(join(directory, 'lock-4'), JSON.stringify({ ...own, ...change }))
  const next = journal()
  await next.open(quiet)
  expect(await locks()).toEqual(['lock-5'])
  await next.close()
})

test('a lock file that is damaged counts as stale', async () => {
  await writeFile(join(directory, 'lock-2'), '')
  const mine = journal()
  await mine.open(quiet)
  await mine.close()
})
