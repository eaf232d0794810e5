import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createFence, memoryFenceStore, StaleToken } from '@conclave/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signalProcess } from '../../src/local/process.ts'
import { json, killNode, records, run, status, until } from './cli.ts'

interface Said {
  readonly what: string
  readonly token?: string
  readonly sequencer?: string
  readonly refused?: string
  readonly held?: boolean
}

/** A program of its own that holds a lock, or waits for it. */
const program = (endpoints: string, path: string, options: object) => {
  const file = fileURLToPath(new URL('./lock-client.ts', import.meta.url))
  const args = ['--conditions=@conclave/source', file, endpoints, path, JSON.stringify(options)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more
  })
  const said = (): Said[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  const heard = async (what: string): Promise<Said> => {
    const all = await until(
      async () => said(),
      (lines) => lines.some((line) => line.what === what),
    )
    return all.find((line) => line.what === what) as Said
  }
  return { child, said, heard, kill: (signal: NodeJS.Signals) => child.kill(signal) }
}

describe.each(['raft', 'paxos', 'zab'])('programs that use locks on %s', { timeout: 120_000 }, (engine) => {
  let cwd = ''
  let endpoints = ''
  const programs: ReturnType<typeof program>[] = []
  const begin = (name: string, options: object = {}): ReturnType<typeof program> => {
    const begun = program(endpoints, `/ls/local/${name}`, { ttl: '1s', grace: '30s', ...options })
    programs.push(begun)
    return begun
  }
  const waiting = async (name: string, count: number): Promise<void> => {
    await until(
      () => json<{ locks: { waiters: unknown[] }[] }>(cwd, ['lock-list', name]),
      ({ locks }) => (locks[0]?.waiters.length ?? 0) >= count,
    )
  }

  beforeAll(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'conclave-e2e-'))
    await json(cwd, ['up', '-d', '--engine', engine])
    const { nodes } = await status(cwd)
    endpoints = nodes.map(({ address }) => address).join(',')
  }, 60_000)
  afterAll(async () => {
    for (const { kill } of programs) kill('SIGKILL')
    for (const record of await records(cwd)) signalProcess(record, 'SIGCONT')
    await run(cwd, ['down'])
    for (const record of await records(cwd)) signalProcess(record, 'SIGKILL')
    await rm(cwd, { recursive: true, force: true })
  }, 60_000)

  test('the lock of a holder that is killed passes on once its lease is over', async () => {
    const first = begin('killed')
    const { token } = await first.heard('holds')
    const second = begin('killed')
    await waiting('killed', 1)
    expect(second.said().some(({ what }) => what === 'holds')).toBe(false)
    first.kill('SIGKILL')
    expect(Number((await second.heard('holds')).token)).toBeGreaterThan(Number(token))
  })

  test('a holder that was stopped past its lease finds out at once, and the fence refuses it', async () => {
    const first = begin('stopped')
    const old = await first.heard('holds')
    const second = begin('stopped')
    await waiting('stopped', 1)
    first.kill('SIGSTOP')
    const present = await second.heard('holds')
    first.kill('SIGCONT')
    expect((await first.heard('lost')).refused).toBe('lock-lost')
    await first.heard('expired')
    const fence = createFence(memoryFenceStore())
    await fence.check(present.sequencer ?? '')
    await expect(fence.check(old.sequencer ?? '')).rejects.toThrow(StaleToken)
  })

  test('the leader is killed while locks are held and others wait: none is lost, none is granted twice, and the order is kept', async () => {
    const hold = { ttl: '3s' }
    const first = begin('line', { ...hold, holdMillis: 6_000 })
    await first.heard('holds')
    const second = begin('line', { ...hold, holdMillis: 100 })
    await waiting('line', 1)
    const third = begin('line', { ...hold, holdMillis: 100 })
    await waiting('line', 2)
    const { leader } = await status(cwd)
    await killNode(cwd, leader ?? '')
    expect((await first.heard('gives back')).held).toBe(true)
    await third.heard('gives back')
    const tokens = [first, second, third].map(({ said }) => said().filter(({ what }) => what === 'holds'))
    expect(tokens.map(({ length }) => length)).toEqual([1, 1, 1])
    const numbers = tokens.map(([line]) => Number(line?.token))
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
    await run(cwd, ['node', 'restart', leader ?? ''])
  })

  test('a client that hears nothing of the cluster is in jeopardy, and safe again if it comes back in time', async () => {
    const client = begin('cut')
    await client.heard('holds')
    const nodes = await records(cwd)
    for (const record of nodes) signalProcess(record, 'SIGSTOP')
    await client.heard('jeopardy')
    expect((await client.heard('lost')).refused).toBe('lock-lost')
    for (const record of nodes) signalProcess(record, 'SIGCONT')
    await client.heard('safe')
  })

  test('and lost if it does not', async () => {
    const client = begin('cut off', { grace: '500ms' })
    await client.heard('holds')
    const nodes = await records(cwd)
    for (const record of nodes) signalProcess(record, 'SIGSTOP')
    await client.heard('expired')
    for (const record of nodes) signalProcess(record, 'SIGCONT')
  })
})
