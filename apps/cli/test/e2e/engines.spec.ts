import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { engineNames } from '@conclave/node/engines'
import { describe, expect, test } from 'vitest'
import { inDirectory, json, killNode, logOf, run, status, until } from './cli.ts'

/** A module outside of the workspace, with an engine that this build has never heard of. */
const myRaft = `
import { raft } from ${JSON.stringify(new URL('../../../../packages/engine-raft/src/index.ts', import.meta.url).href)}
export default { name: 'my-raft', contract: 1, create: (init) => raft.create(init) }
`

describe.each(engineNames)('a local cluster on %s', { timeout: 120_000 }, (engine) => {
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

  test('that this build has never heard of is run from a path, a package, and a configuration', () =>
    inDirectory(async (cwd) => {
      await mkdir(join(cwd, 'node_modules/my-raft'), { recursive: true })
      await writeFile(join(cwd, 'node_modules/my-raft/package.json'), '{"exports":{"import":"./index.mjs"}}')
      await writeFile(join(cwd, 'node_modules/my-raft/index.mjs'), myRaft)
      await writeFile(join(cwd, 'my-raft.mjs'), myRaft)
      const elsewhere = join(cwd, 'elsewhere')
      await mkdir(elsewhere)
      await json(elsewhere, ['up', '-d', '--engine', '../my-raft.mjs', '--data', '../.conclave'])
      const { nodes } = await status(cwd)
      expect(nodes.map(({ status: own }) => own?.engine)).toEqual(['my-raft', 'my-raft', 'my-raft'])
      expect((await run(cwd, ['kv', 'put', 'greeting', 'hello'])).stdout).toBe('revision 1\n')
      await json(cwd, ['down'])
      // It is known by where it is: named from here, it is the same.
      await json(cwd, ['up', '-d', '--engine', './my-raft.mjs'])
      expect((await run(cwd, ['kv', 'get', 'greeting'])).stdout).toBe('hello\n')
      await json(cwd, ['down', '--purge'])
      await json(elsewhere, ['up', '-d', '-n', '1', '--engine', 'my-raft', '--data', '../.conclave'])
      expect((await status(cwd)).nodes.map(({ status: own }) => own?.engine)).toEqual(['my-raft'])
    }))

  test('that cannot be loaded is refused before a cluster is made', () =>
    inDirectory(async (cwd) => {
      await writeFile(join(cwd, 'old.mjs'), 'export default { name: "old", contract: 0, create() {} }')
      const refused = await run(cwd, ['up', '-d', '--engine', './old.mjs'])
      expect(refused.code).toBe(2)
      expect(refused.stderr).toContain('written for version 0 of the contract')
      expect((await run(cwd, ['status'])).stderr).toContain('no .conclave directory')
    }))

  test('has to be the same on all nodes: otherwise they refuse each other and say so', () =>
    inDirectory(async (cwd) => {
      await json(cwd, ['up', '-d', '-n', '2'])
      await json(cwd, ['down'])
      const config = join(cwd, '.conclave/n2/config.yaml')
      // As if two hosts had been set up differently, and had never run.
      await writeFile(
        config,
        (await readFile(config, 'utf8')).replace('engine: raft', `engine: ${join(cwd, 'my-raft.mjs')}`),
      )
      await writeFile(join(cwd, 'my-raft.mjs'), myRaft)
      await rm(join(cwd, '.conclave/n2/data/engine.json'))
      const up = await run(cwd, ['up', '-d'])
      const trouble = 'all members of a cluster must run the same engine. n1: engine "raft"; n2: engine "my-raft"'
      expect([up.code, up.stderr]).toEqual([1, expect.stringContaining(trouble)])
      const seen = await until(
        () => status(cwd),
        ({ nodes }) => nodes.every(({ status: own }) => own?.otherEngines?.length === 1),
      )
      expect(seen.nodes.map(({ status: own }) => own?.otherEngines?.[0])).toMatchObject([
        { name: 'n2', engine: 'my-raft' },
        { name: 'n1', engine: 'raft' },
      ])
      const { code, stderr } = await run(cwd, ['status'])
      expect([code, stderr]).toEqual([4, expect.stringContaining(`no node leads: ${trouble}`)])
      const must = 'all members of a cluster must run the same'
      expect(await logOf(cwd, 'n1')).toContain(JSON.stringify(`n2 runs engine "my-raft", this node "raft": ${must}`))
      expect(await logOf(cwd, 'n2')).toContain(JSON.stringify(`n1 runs engine "raft", this node "my-raft": ${must}`))
    }))

  test('that a directory was not made with is refused', () =>
    inDirectory(async (cwd) => {
      await writeFile(join(cwd, 'my-raft.mjs'), myRaft)
      await json(cwd, ['up', '-d', '-n', '1', '--engine', './my-raft.mjs'])
      await json(cwd, ['down'])
      const start = ['node', 'start', '--config', '.conclave/n1/config.yaml', '--engine', 'raft']
      const { code, stderr } = await run(cwd, start)
      expect([code, stderr]).toEqual([1, expect.stringContaining('was written by the engine "my-raft"')])
    }))

  test('that nobody knows is refused with those that there are, in a flag and in a configuration', () =>
    inDirectory(async (cwd) => {
      const flag = await run(cwd, ['up', '-d', '--engine', 'vsr'])
      expect(flag.code).toBe(2)
      expect(flag.stderr).toContain('there is no engine "vsr". Conclave comes with raft, paxos')
      const config = join(cwd, 'node.yaml')
      await writeFile(config, 'name: a\ndata: a\nlisten: /ip4/127.0.0.1/tcp/0\nengine: vsr\n')
      const started = await run(cwd, ['node', 'start', '--config', config])
      expect(started.code).toBe(2)
      expect(started.stderr).toContain('there is no engine "vsr"')
    }))
})
