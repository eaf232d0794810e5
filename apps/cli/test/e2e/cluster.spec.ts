import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { recordOf, stateOf } from '../../src/local/process.ts'
import { alive, inDirectory, json, records, run, start, status, until } from './cli.ts'

describe('a local cluster', { timeout: 120_000 }, () => {
  test('boots detached, serves, names one leader, and goes without a trace', () =>
    inDirectory(async (cwd) => {
      const up = await run(cwd, ['up', '-d'])
      expect(up.code, up.stderr).toBe(0)
      expect(up.stdout).toMatch(/n[123] leads/)
      expect((await run(cwd, ['kv', 'put', 'greeting', 'hello'])).stdout).toBe('revision 1\n')
      expect((await run(cwd, ['kv', 'get', 'greeting'])).stdout).toBe('hello\n')
      const seen = await status(cwd)
      expect(seen.nodes.filter(({ role }) => role === 'leader').map(({ name }) => name)).toEqual([seen.leader])
      const before = await records(cwd)
      expect(before).toHaveLength(3)
      expect((await run(cwd, ['down'])).code).toBe(0)
      expect(before.map(stateOf)).toEqual(['dead', 'dead', 'dead'])
    }))

  test('keeps its ports and its data, and starts only what is dead', () =>
    inDirectory(async (cwd) => {
      await json(cwd, ['up', '-d'])
      const first = await status(cwd)
      await json(cwd, ['kv', 'put', 'a', '1'])
      await run(cwd, ['node', 'kill', 'n2'])
      const again = await json<{ started: string[] }>(cwd, ['up', '-d'])
      expect(again.started).toEqual(['n2'])
      await run(cwd, ['down'])
      await json(cwd, ['up', '-d'])
      expect((await status(cwd)).nodes.map(({ address }) => address)).toEqual(first.nodes.map(({ address }) => address))
      expect((await run(cwd, ['kv', 'get', 'a'])).stdout).toBe('1\n')
      expect(await json(cwd, ['down', '--purge'])).toMatchObject({ purged: true })
      expect((await run(cwd, ['status'])).code).toBe(3)
    }))

  test('survives the death and the hang of its leader, and lists dead nodes', () =>
    inDirectory(async (cwd) => {
      await json(cwd, ['up', '-d'])
      await json(cwd, ['kv', 'put', 'a', '1'])
      const { leader: first } = await status(cwd)
      await json(cwd, ['node', 'kill', String(first)])
      expect((await run(cwd, ['kv', 'put', 'a', '2'])).code).toBe(0)
      const after = await status(cwd)
      expect(after.nodes.find(({ name }) => name === first)).toMatchObject({ state: 'dead', role: 'dead' })
      expect(after.leader).not.toBe(first)
      await json(cwd, ['node', 'restart', String(first)])
      await until(
        () => status(cwd),
        ({ nodes }) => nodes.every(({ status: own }) => own !== undefined && own.applied >= 3),
      )
      const { leader: second } = await status(cwd)
      await json(cwd, ['node', 'pause', String(second)])
      expect((await run(cwd, ['kv', 'put', 'a', '3'])).code).toBe(0)
      expect((await status(cwd)).leader).not.toBe(second)
      await json(cwd, ['node', 'resume', String(second)])
      const healed = await until(
        () => status(cwd),
        ({ nodes }) => nodes.every(({ role }) => role === 'leader' || role === 'follower'),
      )
      expect(healed.nodes.filter(({ role }) => role === 'leader')).toHaveLength(1)
      expect((await run(cwd, ['kv', 'get', 'a'])).stdout).toBe('3\n')
    }))

  test('ends with a foreground up that is killed outright', () =>
    inDirectory(async (cwd) => {
      const up = start(cwd, ['up'])
      await until(
        async () => up.stdout(),
        (text) => text.includes(' leads; '),
      )
      expect(await alive(cwd)).toBe(3)
      const nodes = await records(cwd)
      up.child.kill('SIGKILL')
      await up.ended
      await until(
        async () => nodes.map(stateOf),
        (states) => states.every((state) => state === 'dead'),
      )
    }))

  test('ends with a foreground up that is asked to, and that exits with 0', () =>
    inDirectory(async (cwd) => {
      const up = start(cwd, ['up', '-n', '1'])
      await until(
        async () => up.stdout(),
        (text) => text.includes(' leads; '),
      )
      expect((await run(cwd, ['up'])).stderr).toContain('already runs this cluster')
      const nodes = await records(cwd)
      up.child.kill('SIGINT')
      expect(await up.ended).toMatchObject({ code: 0 })
      expect(nodes.map(stateOf)).toEqual(['dead'])
    }))

  test('is shown by a foreground up that did not start it, and outlives that one', () =>
    inDirectory(async (cwd) => {
      await json(cwd, ['up', '-d', '-n', '1'])
      const up = start(cwd, ['up'])
      await until(
        async () => up.stdout(),
        (text) => text.includes(' leads; '),
      )
      up.child.kill('SIGTERM')
      expect(await up.ended).toMatchObject({ code: 0 })
      expect(await alive(cwd)).toBe(1)
      expect((await run(cwd, ['logs', 'n1'])).stdout).toContain('the node is up')
    }))

  test('never signals a process that only took over the number of a node', () =>
    inDirectory(async (cwd) => {
      await json(cwd, ['up', '-d', '-n', '1'])
      await run(cwd, ['node', 'kill', 'n1'])
      const own = recordOf(process.pid)
      await writeFile(
        join(cwd, '.conclave', 'n1', 'process.json'),
        JSON.stringify({ pid: process.pid, started: 'long ago' }),
      )
      expect((await run(cwd, ['node', 'kill', 'n1'])).code).toBe(3)
      expect((await run(cwd, ['down'])).code).toBe(0)
      expect(stateOf(own)).toBe('running')
    }))
})

describe('one node', { timeout: 60_000 }, () => {
  test('is named by init, the same way each time, and starts from flags or a file', () =>
    inDirectory(async (cwd) => {
      const init = ['init', '--name', 'a', '--listen', '/ip4/127.0.0.1/tcp/7400', '--data', 'data']
      const first = await run(cwd, init)
      expect(first.stdout).toMatch(/^--member a=\/ip4\/127\.0\.0\.1\/tcp\/7400\/p2p\/12D3\w+\n$/)
      expect((await run(cwd, init)).stdout).toBe(first.stdout)
      const { member, id } = await json<{ member: string; id: string }>(cwd, init)
      expect(first.stdout).toBe(`--member ${member}\n`)
      await writeFile(
        join(cwd, 'a.yaml'),
        `name: a\ndata: data\nlisten: /ip4/127.0.0.1/tcp/0\nmembers:\n  a: /ip4/127.0.0.1/tcp/7400/p2p/${id}\n`,
      )
      const node = start(cwd, ['node', 'start', '--config', 'a.yaml'])
      await until(
        async () => node.stdout(),
        (text) => text.includes('the node is up'),
      )
      node.child.kill('SIGTERM')
      expect(await node.ended).toMatchObject({ code: 0, stderr: '' })
    }))

  test('with a wrong configuration is told what is wrong and what is allowed', () =>
    inDirectory(async (cwd) => {
      await writeFile(
        join(cwd, 'bad.yaml'),
        'name: a\ndata: data\nlisten: /ip4/127.0.0.1/tcp/0\nengin: raft\ndurability: no\n',
      )
      const bad = await run(cwd, ['node', 'start', '--config', 'bad.yaml'])
      expect(bad.code).toBe(2)
      expect(bad.stderr).toContain('unknown key "engin" (did you mean "engine"?); allowed are name, cluster')
      expect(bad.stderr).toContain('durability: must be one of "disk", "memory"')
      expect((await run(cwd, ['node', 'start', '--name', 'a'])).stderr).toContain('data: is missing')
      expect((await run(cwd, ['node', 'start', '--member', 'nonsense'])).code).toBe(2)
      expect((await run(cwd, ['nonsense'])).code).toBe(2)
    }))
})

describe('kv', { timeout: 120_000 }, () => {
  test('says with its exit code what became of a call', () =>
    inDirectory(async (cwd) => {
      await json(cwd, ['up', '-d', '-n', '1'])
      const code = async (...args: string[]) => (await run(cwd, ['kv', ...args])).code
      expect(await code('get', 'none')).toBe(3)
      expect(await code('del', 'none')).toBe(3)
      expect(await code('put', 'a', '1', '--if-revision', '0')).toBe(0)
      expect(await code('put', 'a', '2', '--if-revision', '7')).toBe(3)
      expect(await code('put', 'a')).toBe(2)
      expect(await code('put', 'a', 'b', '--nonsense')).toBe(2)
      expect(await code('put', 'a', 'b', '--if-revision', 'x')).toBe(2)
      expect(await json(cwd, ['kv', 'get', 'a'])).toMatchObject({ key: 'a', value: '1', version: 1 })
      expect(await code('del', 'a')).toBe(0)
      await run(cwd, ['node', 'kill', 'n1'])
      expect(await code('get', 'a')).toBe(4)
      expect((await run(cwd, ['status'])).code).toBe(4)
      const { stdout } = await run(cwd, ['kv', 'get', 'a', '--json'])
      expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'unavailable', exit: 4 } })
    }))

  test('lists, watches and imports', () =>
    inDirectory(async (cwd) => {
      await json(cwd, ['up', '-d'])
      const watch = start(cwd, ['kv', 'watch', 'u/', '--prefix', '--from-revision', '1', '--count', '3', '--json'])
      await writeFile(
        join(cwd, 'in.ndjson'),
        '{"key":"u/1","value":"a"}\n\n{"key":"u/2","value":"b"}\n{"key":"v","value":"ü"}',
      )
      expect(await json(cwd, ['kv', 'import', 'in.ndjson'])).toMatchObject({
        records: 3,
        firstRevision: '1',
        lastRevision: '3',
      })
      await json(cwd, ['kv', 'del', 'u/1'])
      const events = (await watch.ended).stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
      expect(events).toMatchObject([
        { type: 'put', key: 'u/1', value: 'a', revision: '1' },
        { type: 'put', key: 'u/2', value: 'b', revision: '2' },
        { type: 'delete', key: 'u/1', revision: '4' },
      ])
      expect((await run(cwd, ['kv', 'ls'])).stdout).toBe('u/2\nv\n')
      expect((await run(cwd, ['kv', 'ls', 'v', '--values', '--local', '--node', 'n1'])).stdout).toBe('v\tü\n')
      await writeFile(join(cwd, 'bad.ndjson'), '{"key":"x","value":"1"}\n{"key":"y"}\n')
      const bad = await run(cwd, ['kv', 'import', 'bad.ndjson'])
      expect(bad.code).toBe(1)
      expect(bad.stderr).toContain('line 2: needs a "value" that is a string')
      expect(bad.stderr).toContain('1 records were acknowledged')
    }))

  test('finds its cluster by flag, environment, --data, or the directory, in this order', () =>
    inDirectory(async (cwd) => {
      await json(cwd, ['up', '-d', '-n', '1'])
      const { nodes } = await status(cwd)
      const address = String(nodes[0]?.address)
      await json(cwd, ['kv', 'put', 'a', '1'])
      expect(
        (await run('/', ['kv', 'get', 'a', '--endpoints', address], { CONCLAVE_ENDPOINTS: 'nonsense' })).stdout,
      ).toBe('1\n')
      expect((await run('/', ['kv', 'get', 'a'], { CONCLAVE_ENDPOINTS: address })).stdout).toBe('1\n')
      expect((await run('/', ['kv', 'get', 'a', '--data', join(cwd, '.conclave')])).stdout).toBe('1\n')
      expect((await run('/', ['kv', 'get', 'a'])).code).toBe(3)
      expect((await run(cwd, ['kv', 'get', 'a'], { CONCLAVE_ENDPOINTS: 'nonsense' })).code).toBe(2)
    }))
})
