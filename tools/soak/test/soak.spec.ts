import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { engineNames } from '@conclave/node'
import { describe, expect, test } from 'vitest'
import { fileSystemOf } from '../src/disks.ts'
import type { Report } from '../src/report.ts'

const cache = fileURLToPath(new URL('../../../node_modules/.cache/soak', import.meta.url))
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

interface Soak {
  readonly child: ChildProcess
  readonly output: () => string
  readonly ended: Promise<number | null>
}

const start = (...args: string[]): Soak => {
  const child = spawn(process.execPath, ['--conditions=@conclave/source', main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  return { child, output: () => output, ended }
}

/** Waits for words in the output; fails with the output when it ends without them. */
const told = async ({ child, output, ended }: Soak, words: string): Promise<void> => {
  let over = false
  void ended.then(() => {
    over = true
  })
  while (!output().includes(words)) {
    if (over) throw new Error(`ended without "${words}":\n${output()}`)
    await new Promise((resolve) => child.stdout?.once('data', resolve).once('close', resolve))
  }
}

/** A directory on a real disk, and the certainty that nothing of the soak's is left. */
const inDirectory = async (use: (directory: string) => Promise<void>): Promise<void> => {
  await mkdir(cache, { recursive: true })
  const directory = await mkdtemp(join(cache, 'test-'))
  try {
    await use(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

const leftovers = async (pid: number | undefined, directory: string): Promise<string[]> => {
  const listed = (path: string): Promise<string[]> => readdir(path).catch(() => [])
  const ledgers = await listed(join(tmpdir(), 'conclave-soak'))
  const mounts = process.platform === 'linux' ? await readFile('/proc/self/mounts', 'utf8') : ''
  const processes = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' })
  return [
    ...(await listed('/run/netns')).filter((name) => name.startsWith(`cvsoak${pid}`)),
    ...ledgers.filter((name) => name === `${pid}.json`),
    ...mounts.split('\n').filter((line) => line.includes(directory)),
    ...processes.split('\n').filter((line) => line.includes(directory)),
    ...(await listed(directory)).filter((name) => name.startsWith('run-')),
  ]
}

const inMemory = /^(tmpfs|ramfs)\b/.test(fileSystemOf(fileURLToPath(new URL('..', import.meta.url))))
const reason = process.platform === 'win32' ? 'no SIGSTOP there' : inMemory ? 'no real disk here' : undefined
const note = reason === undefined ? '' : ` (skipped: ${reason})`

describe('a soak', { timeout: 180_000 }, () => {
  test.skipIf(reason !== undefined).each(engineNames)(`of a quarter of a minute on %s ends well${note}`, (engine) =>
    inDirectory(async (directory) => {
      const json = join(directory, 'report.json')
      const chosen = ['--engine', engine, '--minutes', '0.25', '--seed', '3']
      const soak = start(...chosen, '--dir', directory, '--json', json)
      expect(await soak.ended, soak.output()).toBe(0)
      const report = JSON.parse(await readFile(json, 'utf8')) as Report
      expect(report).toMatchObject({ verdict: 'ok', engine, seed: 3, nodes: 5, violations: [] })
      expect(report.faults.injected).toBeGreaterThanOrEqual(3)
      expect(report.faults.survived).toBe(report.faults.injected)
      expect(report.operations.byOutcome.ok).toBeGreaterThan(report.operations.total / 2)
      expect(report.watchedWrites).toBeGreaterThan(100)
      expect(report.locks.held).toBeGreaterThan(10)
      expect(await leftovers(soak.child.pid, directory)).toEqual([])
    }),
  )

  test.skipIf(reason !== undefined)(`that is interrupted heals, checks, and leaves nothing behind${note}`, () =>
    inDirectory(async (directory) => {
      const soak = start('--nodes', '3', '--seed', '5', '--dir', directory, '--verbose')
      await told(soak, '(leader ')
      soak.child.kill('SIGINT')
      expect(await soak.ended, soak.output()).toBe(0)
      expect(soak.output()).toContain('verdict     ok')
      expect(await leftovers(soak.child.pid, directory)).toEqual([])
    }),
  )

  test.skipIf(reason !== undefined)(`that is killed is cleaned up after${note}`, () =>
    inDirectory(async (directory) => {
      const soak = start('--nodes', '3', '--seed', '5', '--dir', directory, '--faults', 'pause', '--verbose')
      await told(soak, '(leader ')
      soak.child.kill('SIGKILL')
      await soak.ended
      expect(await leftovers(soak.child.pid, directory)).not.toEqual([])
      const cleanup = start('--cleanup')
      expect(await cleanup.ended, cleanup.output()).toBe(0)
      expect(await leftovers(soak.child.pid, directory)).toEqual([])
    }),
  )
})
