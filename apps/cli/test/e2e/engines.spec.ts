import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { engineNames } from '@conclave/node'
import { describe, expect, test } from 'vitest'
import { engines } from '../../src/engines.ts'
import { inDirectory, json, killNode, run, status, until } from './cli.ts'

test('the flags offer the engines that a node knows', () => {
  expect([...engines].sort()).toEqual([...engineNames].sort())
})

describe.each(engines)('a local cluster on %s', { timeout: 120_000 }, (engine) => {
  test('serves, and goes on when its leader is killed', () =>
    inDirectory(async (cwd) => {
      await json(cwd, ['up', '-d', '--engine', engine])
      const { leader: first, nodes } = await status(cwd)
      expect(nodes.map(({ status: own }) => own)).toMatchObject([{ engine }, { engine }, { engine }])
      expect((await run(cwd, ['kv', 'put', 'greeting', 'hello'])).stdout).toBe('revision 1\n')
      expect((await run(cwd, ['kv', 'get', 'greeting'])).stdout).toBe('hello\n')
      killNode(cwd, String(first))
      expect((await run(cwd, ['kv', 'get', 'greeting'])).stdout).toBe('hello\n')
      expect((await run(cwd, ['kv', 'put', 'greeting', 'again'])).stdout).toBe('revision 2\n')
      expect((await status(cwd)).leader).not.toBe(first)
      await json(cwd, ['node', 'restart', String(first)])
      const { nodes: whole } = await until(
        () => status(cwd),
        ({ nodes }) => new Set(nodes.map(({ status: own }) => own?.machines.kv)).size === 1,
      )
      expect(whole.every(({ status: own }) => own !== undefined)).toBe(true)
    }))
})

describe('an engine', { timeout: 120_000 }, () => {
  test('is chosen once: a cluster that is there keeps its own', () =>
    inDirectory(async (cwd) => {
      await json(cwd, ['up', '-d', '-n', '1', '--engine', 'paxos'])
      const other = await run(cwd, ['up', '-d', '--engine', 'raft'])
      expect(other.code).toBe(1)
      expect(other.stderr).toContain('runs on paxos, not on raft')
    }))

  test('that nobody knows is refused with those that there are, in a flag and in a configuration', () =>
    inDirectory(async (cwd) => {
      const flag = await run(cwd, ['up', '-d', '--engine', 'vsr'])
      expect(flag.code).toBe(2)
      expect(flag.stderr).toContain('raft, paxos')
      const config = join(cwd, 'node.yaml')
      await writeFile(config, 'name: a\ndata: a\nlisten: /ip4/127.0.0.1/tcp/0\nengine: vsr\n')
      const started = await run(cwd, ['node', 'start', '--config', config])
      expect(started.code).not.toBe(0)
      expect(started.stderr).toContain('engine: must be one of "raft", "paxos"')
    }))
})
