import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { errorJson, exitCodeOf } from '../src/exit.ts'
import { writeCluster } from '../src/local/cluster.ts'
import { recordOf, signalProcess, stateOf } from '../src/local/process.ts'
import { withLock } from '../src/local/supervise.ts'
import { renderLogLine } from '../src/log-lines.ts'
import { findTarget } from '../src/target.ts'

let base = ''
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'conclave-target-'))
  mkdirSync(join(base, '.conclave'))
  mkdirSync(join(base, 'deep', 'down'), { recursive: true })
  writeCluster({
    directory: join(base, '.conclave'),
    cluster: 'c',
    engine: 'raft',
    nodes: [{ name: 'n1', id: 'abc', port: 7400 }],
  })
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

describe('the cluster that a command talks to', () => {
  const here = ['/ip4/127.0.0.1/tcp/7400/p2p/abc']
  const flag = '/ip4/1.1.1.1/tcp/1/p2p/abd'
  const env = { CONCLAVE_ENDPOINTS: '/ip4/2.2.2.2/tcp/2/p2p/abe, /ip4/3.3.3.3/tcp/3/p2p/abf' }

  test('is that of --endpoints, else of CONCLAVE_ENDPOINTS, else of --data, else the nearest above', () => {
    const data = join(base, '.conclave')
    expect(findTarget({ endpoints: [flag], data }, env, base).endpoints).toEqual([flag])
    expect(findTarget({ data }, env, base).endpoints).toHaveLength(2)
    expect(findTarget({ data }, {}, '/').endpoints).toEqual(here)
    expect(findTarget({}, {}, join(base, 'deep', 'down')).endpoints).toEqual(here)
  })

  test('must be there and well written', () => {
    expect(() => findTarget({}, {}, '/')).toThrow('no cluster to talk to')
    expect(() => findTarget({ endpoints: ['localhost:1'] }, {}, '/')).toThrow('no multiaddr with a peer id')
    expect(() => findTarget({ data: join(base, 'deep') }, {}, '/')).toThrow('no cluster in')
  })
})

describe('exit codes', () => {
  const error = (more: object) => Object.assign(new Error('x'), more)
  test.each([
    [{ code: 'unavailable', definite: true }, 4],
    [{ code: 'session-expired', definite: false }, 4],
    [{ code: 'refused', definite: true }, 3],
    [{ code: 'invalid-config', definite: true }, 2],
    [{ code: 'invalid-endpoint', definite: true }, 2],
    [{ code: 'data-directory-in-use', definite: true }, 1],
    [{}, 1],
  ])('of %o is %i', (more, code) => {
    expect(exitCodeOf(error(more))).toBe(code)
    expect(errorJson(error(more)).error).toMatchObject({ message: 'x', exit: code })
  })
})

describe('processes', () => {
  test('are told from others by when they started', () => {
    const own = recordOf(process.pid)
    expect(stateOf(own)).toBe('running')
    expect(stateOf({ pid: process.pid, started: 'before' })).toBe('dead')
    expect(signalProcess({ pid: process.pid, started: 'before' }, 'SIGKILL')).toBe(false)
  })
})

test('a lock is taken over from a dead command, and from one that could not write its name', async () => {
  const path = join(base, 'up.lock')
  for (const text of ['{"pid":999999999,"started":"never"}', '']) {
    writeFileSync(path, text)
    const old = new Date(Date.now() - 120_000)
    utimesSync(path, old, old)
    expect(await withLock(base, async () => existsSync(path))).toBe(true)
    expect(existsSync(path)).toBe(false)
  }
})

test('log lines are for people; what is no log line stays as it is', () => {
  const line = renderLogLine(
    '{"level":40,"time":1000,"msg":"a link broke","peer":"n2","why":"it is gone"}',
    (_, text) => text,
  )
  expect(line).toMatch(/^\d\d:\d\d:01\.000 warn {2}a link broke peer=n2 why="it is gone"$/)
  expect(renderLogLine('plain', (_, text) => text)).toBe('plain')
})
