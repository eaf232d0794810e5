import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '@conclave/client'
import { engineNames } from '@conclave/node'
import { describe, expect, test } from 'vitest'
import { alive, inDirectory, json, killAll, killNode, type Running, run, start, status, until } from './cli.ts'
import { ndjson, realRecords } from './real-records.ts'

interface Imported {
  readonly records: number
  readonly firstRevision: string
  readonly lastRevision: string
}

/** Feeds an import piece by piece, as slowly as it takes them. */
const feed = async ({ child, ended }: Running, entries: readonly (readonly [string, string])[]): Promise<void> => {
  const { stdin } = child
  if (stdin === null) throw new Error('the import has no standard input')
  for (let at = 0; at < entries.length; at += 1000) {
    if (stdin.write(ndjson(entries.slice(at, at + 1000)))) continue
    const early = await Promise.race([once(stdin, 'drain').then(() => undefined), ended])
    if (early !== undefined) throw new Error(`the import ended: ${early.stderr}${early.stdout}`)
  }
}

const revisionOf = async (endpoints: readonly string[]): Promise<bigint> => {
  await using client = await connect({ endpoints })
  return await client.kv.revision()
}

/** Every entry as one node has it. */
const localEntries = async (cwd: string, node: string): Promise<string> => {
  const { code, stdout, stderr } = await run(cwd, ['kv', 'ls', '--local', '--node', node, '--json'])
  expect(code, stderr).toBe(0)
  return stdout
}

const caughtUp = (cwd: string): Promise<unknown> =>
  until(
    () => status(cwd),
    ({ leader, nodes }) =>
      leader !== null &&
      new Set(nodes.map(({ status: own }) => own?.applied)).size === 1 &&
      nodes[0]?.status !== undefined,
  )

const difference = (left: string, right: string): string => {
  const [a, b] = [left.split('\n'), right.split('\n')]
  const at = a.findIndex((line, index) => line !== b[index])
  return `${a.length} and ${b.length} lines; the first difference is in line ${at + 1}: ${a[at]} and ${b[at]}`
}

const expectSame = async (cwd: string, records: ReadonlyMap<string, string>): Promise<void> => {
  const [first = '', ...others] = await Promise.all(['n1', 'n2', 'n3'].map((node) => localEntries(cwd, node)))
  const hashes = (await status(cwd)).nodes.map(({ status: own }) => own?.machines.kv)
  expect(new Set(hashes).size, `state hashes: ${hashes}`).toBe(1)
  for (const other of others) expect(other === first, difference(first, other)).toBe(true)
  const found = new Map(
    first
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { key: string; value: string })
      .map(({ key, value }) => [key, value]),
  )
  expect(found.size).toBe(records.size)
  expect([...records].filter(([key, value]) => found.get(key) !== value)).toEqual([])
}

/** Small, so that snapshots are seen. */
const small = ['--snapshot-bytes', '512KiB', '--tail-bytes', '64KiB']

describe.each(engineNames)('the main job on %s, on real input', { timeout: 300_000 }, (engine) => {
  test('an import goes on when its leader is killed, nothing is lost or doubled, and the killed node rejoins by snapshot', () =>
    inDirectory(async (cwd) => {
      const records = await realRecords()
      expect(records.size).toBeGreaterThanOrEqual(20_000)
      const entries = [...records]
      await json(cwd, ['up', '-d', '--engine', engine, ...small])
      const before = await status(cwd)
      const endpoints = before.nodes.map(({ address }) => address)
      const initial = await revisionOf(endpoints)

      const half = Math.floor(entries.length / 2)
      const importing = start(cwd, ['kv', 'import', '--json'])
      await feed(importing, entries.slice(0, half))
      const atKill = await until(
        () => status(cwd),
        ({ nodes }) => nodes.some(({ status: own }) => own !== undefined && own.applied > 5),
      )
      const victim = String(atKill.leader)
      killNode(cwd, victim)
      await feed(importing, entries.slice(half))
      importing.child.stdin?.end()
      const ended = await importing.ended
      expect(ended.code, ended.stderr + ended.stdout).toBe(0)
      const imported = JSON.parse(ended.stdout) as Imported
      expect(imported.records).toBe(records.size)
      const final = await revisionOf(endpoints)
      expect(final - initial).toBe(BigInt(records.size))
      expect(BigInt(imported.lastRevision) - BigInt(imported.firstRevision) + 1n).toBe(BigInt(records.size))

      const last = atKill.nodes.find(({ name }) => name === victim)?.status?.last ?? 0
      const ahead = await status(cwd)
      const tailFrom = Number(ahead.nodes.find(({ name }) => name === ahead.leader)?.status?.detail.tailFrom)
      expect(ahead.leader).not.toBe(victim)
      expect(tailFrom).toBeGreaterThan(last + 1)
      await json(cwd, ['node', 'restart', victim])
      await caughtUp(cwd)
      const rejoined = (await status(cwd)).nodes.find(({ name }) => name === victim)?.status
      expect(rejoined?.snapshotsInstalled).toBeGreaterThanOrEqual(1)
      await expectSame(cwd, records)
    }))

  test('an import goes on when all nodes are killed and started anew, and nothing acknowledged is lost', () =>
    inDirectory(async (cwd) => {
      const records = await realRecords()
      const entries = [...records].slice(0, 30_000)
      await json(cwd, ['up', '-d', '--engine', engine, ...small])
      const endpoints = (await status(cwd)).nodes.map(({ address }) => address)
      const importing = start(cwd, ['kv', 'import', '--json'])
      const third = Math.floor(entries.length / 3)
      const feeding = feed(importing, entries.slice(0, 2 * third))
      await until(
        () => status(cwd),
        ({ nodes }) => nodes.some(({ status: own }) => own !== undefined && own.applied > 3),
      )
      await killAll(cwd)
      await until(
        () => alive(cwd),
        (count) => count === 0,
      )
      // Long enough that the client has noticed, and has to find everything anew.
      await sleep(500)
      await json(cwd, ['up', '-d'])
      await feeding
      await feed(importing, entries.slice(2 * third))
      importing.child.stdin?.end()
      const ended = await importing.ended
      expect(ended.code, ended.stderr + ended.stdout).toBe(0)
      expect((JSON.parse(ended.stdout) as Imported).records).toBe(entries.length)
      expect(await revisionOf(endpoints)).toBe(BigInt(entries.length))
      await caughtUp(cwd)
      await expectSame(cwd, new Map(entries))
    }))
})
