import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { recordOf, signalProcess, stateOf } from '../../src/local/process.ts'
import { json, killNode, type Running, records, run, start, status, until } from './cli.ts'

interface LockJson {
  readonly path: string
  readonly mode: string
  readonly token: string
  readonly holders: readonly { readonly session: string; readonly principal: string }[]
  readonly waiters: readonly unknown[]
}

let cwd = ''
let names = 0
/** A lock that no other test uses. */
const fresh = (): string => `test/${++names}`

const locks = async (name: string): Promise<readonly LockJson[]> =>
  (await json<{ locks: readonly LockJson[] }>(cwd, ['lock-list', name])).locks

/** A shell under a lock, which runs by now, having done `first`. */
const holding = async (
  name: string,
  flags: readonly string[],
  { first = ':', rest = 'sleep 600' } = {},
): Promise<Running & { pid: number }> => {
  const file = join(cwd, `pid-${++names}`)
  const running = start(cwd, ['lock', name, ...flags, '--', 'sh', '-c', `${first}; echo $$ > ${file}; ${rest}`])
  const text = await until(
    () => readFile(file, 'utf8').catch(() => ''),
    (written) => written.endsWith('\n'),
  )
  return { ...running, pid: Number(text) }
}
/** A shell that starts a command after the other may lose a signal in between: this one waits. */
const forEver = 'while :; do sleep 600 & wait $!; done'

const gone = (pid: number): Promise<unknown> =>
  until(
    async () => stateOf(recordOf(pid)),
    (state) => state === 'dead',
  )

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'conclave-e2e-'))
  await json(cwd, ['up', '-d'])
}, 60_000)
afterAll(async () => {
  for (const record of await records(cwd)) signalProcess(record, 'SIGCONT')
  await run(cwd, ['down'])
  for (const record of await records(cwd)) signalProcess(record, 'SIGKILL')
  await rm(cwd, { recursive: true, force: true })
}, 60_000)

describe('conclave lock', { timeout: 120_000 }, () => {
  test('tells the command its lock, and passes its exit code on', async () => {
    const name = fresh()
    const first = await run(cwd, [
      'lock',
      name,
      '--',
      'sh',
      '-c',
      'echo $CONCLAVE_LOCK_NAME $CONCLAVE_LOCK_TOKEN; exit 7',
    ])
    expect(first.code, first.stderr).toBe(7)
    const [, path, token] = /^(\S+) (\d+)\n$/.exec(first.stdout) ?? []
    expect(path).toBe(`/ls/conclave/${name}`)
    const second = await run(cwd, ['lock', name, '--', 'sh', '-c', 'echo $CONCLAVE_LOCK_TOKEN; kill -9 $$'])
    expect(second.code).toBe(137)
    expect(Number(second.stdout)).toBeGreaterThan(Number(token))
    expect((await run(cwd, ['lock', name, '--', 'no-such-command'])).code).toBe(127)
    expect(await locks(name)).toEqual([])
  })

  test('refuses what cannot be right before it does anything', async () => {
    const name = fresh()
    expect((await run(cwd, ['lock', name])).stderr).toContain('write it behind --')
    const late = await run(cwd, ['lock', name, '--ttl', '4s', '--kill-after', '3s', '--', 'true'])
    expect(late).toMatchObject({ code: 2 })
    expect(late.stderr).toContain('at most --kill-after 2000ms')
    expect((await run(cwd, ['lock', '/etc/passwd', '--', 'true'])).code).toBe(2)
    expect((await run(cwd, ['lock', name, '--ttl', '2m', '--', 'true'])).code).toBe(2)
  })

  test('waits in line, or not at all, and says who is in the way', async () => {
    const name = fresh()
    const holder = await holding(name, [])
    const busy = await run(cwd, ['lock', name, '--wait', '0', '--', 'true'])
    expect(busy.code).toBe(75)
    expect(busy.stderr).toContain('is held by another')
    expect(busy.stderr).toContain('conclave lock-list')
    expect((await run(cwd, ['lock', name, '--wait', '50ms', '--exit-busy', '9', '--', 'true'])).code).toBe(9)
    const next = start(cwd, ['lock', name, '--', 'echo', 'mine'])
    const [lock] = await until(
      () => locks(name),
      ([seen]) => seen?.waiters.length === 1,
    )
    expect(lock).toMatchObject({ path: `/ls/conclave/${name}`, mode: 'exclusive' })
    const shown = await json<{ open: unknown[] }>(cwd, ['session', 'show', String(lock?.holders[0]?.session)])
    expect(shown.open).toMatchObject([{ path: lock?.path, lock: { state: 'held', token: lock?.token } }])
    holder.child.kill('SIGINT')
    expect((await holder.ended).code).toBe(130)
    expect(await next.ended).toMatchObject({ code: 0, stdout: 'mine\n' })
  })

  test('has tokens above those of a cluster that was before', async () => {
    const before = await json<{ token: string }>(cwd, ['lock-token'])
    const above = BigInt(before.token) + 1000n
    expect((await run(cwd, ['lock-token', '--raise-above', String(above)])).stdout).toBe(`${above}\n`)
    const next = await run(cwd, ['lock', fresh(), '--', 'sh', '-c', 'echo $CONCLAVE_LOCK_TOKEN'])
    expect(BigInt(next.stdout.trim())).toBeGreaterThan(above)
    expect((await run(cwd, ['lock-token', '--raise-above', '-1'])).code).toBe(2)
    expect((await run(cwd, ['lock-token', '--raise-above', '1e9'])).stderr).toContain('whole number up to 2^63')
  })

  test('is held by several that share it', async () => {
    const name = fresh()
    const holder = await holding(name, ['--shared'])
    expect((await run(cwd, ['lock', name, '--shared', '--wait', '0', '--', 'true'])).code).toBe(0)
    expect((await run(cwd, ['lock', name, '--wait', '0', '--', 'true'])).code).toBe(75)
    holder.child.kill('SIGTERM')
    await holder.ended
  })

  test('gives a signal to the command, waits for it, and takes a second one for a kill', async () => {
    const name = fresh()
    const polite = await holding(name, [], { first: 'trap "exit 3" TERM', rest: forEver })
    polite.child.kill('SIGTERM')
    expect((await polite.ended).code).toBe(3)
    const stubborn = await holding(name, [], { first: 'trap "echo not yet" TERM', rest: forEver })
    stubborn.child.kill('SIGTERM')
    await until(
      async () => stubborn.stdout(),
      (text) => text.includes('not yet'),
    )
    // One that comes at once is taken for the first: a terminal and a parent may both have sent it.
    await until(
      async () => {
        stubborn.child.kill('SIGTERM')
        return stubborn.child.exitCode
      },
      (code) => code !== null,
    )
    expect((await stubborn.ended).code).toBe(137)
    expect(await locks(name)).toEqual([])
  })

  test('leaves nothing of the command behind: what it started goes before the lock does', async () => {
    const file = join(cwd, 'orphan')
    const ended = await run(cwd, ['lock', fresh(), '--', 'sh', '-c', `sleep 600 >/dev/null 2>&1 & echo $! > ${file}`])
    expect(ended.code).toBe(0)
    expect(stateOf(recordOf(Number(await readFile(file, 'utf8'))))).toBe('dead')
  })

  test('killed outright takes the command along, and the lock passes on with a higher token', async () => {
    const name = fresh()
    const holder = await holding(name, ['--ttl', '2s'], { first: 'trap "" TERM INT HUP', rest: forEver })
    const [lock] = await locks(name)
    holder.child.kill('SIGKILL')
    await gone(holder.pid)
    const next = await run(cwd, ['lock', name, '--', 'sh', '-c', 'echo $CONCLAVE_LOCK_TOKEN'])
    expect(Number(next.stdout)).toBeGreaterThan(Number(lock?.token))
  })

  test('stopped for longer than its lease loses the command before another gets the lock, and says so when it goes on', async () => {
    const name = fresh()
    const holder = await holding(name, ['--ttl', '2s'], { first: 'trap "" TERM', rest: forEver })
    holder.child.kill('SIGSTOP')
    // Nobody can have collected it yet.
    const next = await run(cwd, ['lock', name, '--', 'grep', 'State', `/proc/${holder.pid}/status`])
    expect(next.stdout).toContain('Z (zombie)')
    holder.child.kill('SIGCONT')
    const ended = await holder.ended
    expect(ended.code, ended.stderr).toBe(76)
    expect(ended.stderr).toContain('cannot be relied on any more')
  })

  test('twenty contenders count in a file without losing one, while the leader is killed', async () => {
    const file = join(cwd, 'count')
    await writeFile(file, '0')
    const script = `n=$(cat ${file}); sleep 0.02; echo $((n + 1)) > ${file}`
    const contenders = Array.from({ length: 20 }, () =>
      start(cwd, ['lock', 'count', '--timeout', '100', '--', 'sh', '-c', script]),
    )
    await until(
      async () => Number(await readFile(file, 'utf8')),
      (count) => count >= 3,
    )
    const { leader } = await status(cwd)
    await killNode(cwd, leader ?? '')
    for (const { ended } of contenders) expect(await ended).toMatchObject({ code: 0, stderr: '' })
    expect((await readFile(file, 'utf8')).trim()).toBe('20')
    await run(cwd, ['node', 'restart', leader ?? ''])
  })

  test('goes on through the death of the leader', async () => {
    const name = fresh()
    const file = join(cwd, 'go-on')
    const holder = await holding(name, [], { rest: `until [ -e ${file} ]; do sleep 0.05; done; exit 5` })
    const { leader } = await status(cwd)
    killNode(cwd, String(leader))
    await until(
      () => status(cwd),
      (seen) => seen.leader !== null && seen.leader !== leader,
    )
    expect((await locks(name))[0]?.holders).toHaveLength(1)
    await writeFile(file, '')
    expect((await holder.ended).code).toBe(5)
    await json(cwd, ['node', 'restart', String(leader)])
  })
})

describe('conclave elect', { timeout: 60_000 }, () => {
  test('has one leader at a time, and tells observers', async () => {
    const name = fresh()
    const observer = start(cwd, ['elect', name, '--observe', '--json'])
    const first = start(cwd, ['elect', name, '--value', 'a', '--json'])
    await until(
      async () => first.stdout(),
      (text) => text.includes('"elected"'),
    )
    const second = start(cwd, ['elect', name, '--value', 'b', '--', 'sh', '-c', 'echo $CONCLAVE_LOCK_TOKEN'])
    await until(
      () => locks(name),
      ([lock]) => lock?.waiters.length === 1,
    )
    expect((await run(cwd, ['fs', 'cat', name])).stdout).toBe('a')
    first.child.kill('SIGTERM')
    expect((await first.ended).code).toBe(0)
    const ended = await second.ended
    expect(ended.code, ended.stderr).toBe(0)
    await until(
      async () => observer.stdout(),
      (text) => /"b".*\n.*"none"/.test(text),
    )
    observer.child.kill('SIGINT')
    const seen = (await observer.ended).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string; value?: string; token?: string })
    expect(seen.filter(({ event }) => event === 'leader').map(({ value }) => value)).toEqual(['a', 'b'])
    expect(seen.at(-1)).toEqual({ event: 'none' })
    expect(seen.find(({ value }) => value === 'b')?.token).toBe(ended.stdout.trim())
  })
})

describe('conclave fs', { timeout: 60_000 }, () => {
  test('writes, reads, lists and removes', async () => {
    const directory = fresh()
    const fs = (...args: string[]) => run(cwd, ['fs', ...args])
    expect((await fs('write', `${directory}/a`, 'one', '--if-generation', '0')).stdout).toBe('generation 1\n')
    expect((await fs('write', `${directory}/a`, 'two', '--if-generation', '0')).code).toBe(3)
    const piped = start(cwd, ['fs', 'write', `${directory}/a`, '--if-generation', '1'])
    piped.child.stdin?.end(Buffer.from([0xff, 0, 10]))
    expect((await piped.ended).stdout).toBe('generation 2\n')
    expect(await json(cwd, ['fs', 'cat', `${directory}/a`])).toMatchObject({
      contentGeneration: '2',
      valueBase64: '/wAK',
    })
    const stale = await fs('write', `${directory}/a`, 'x', '--if-generation', '1')
    expect(stale).toMatchObject({ code: 3 })
    expect(stale.stderr).toContain('its content generation is 2')
    expect((await fs('mkdir', `${directory}/b/c`)).code).toBe(0)
    expect((await fs('ls', directory)).stdout).toBe('a\nb/\n')
    expect(await json(cwd, ['fs', 'stat', `${directory}/b`])).toMatchObject({ kind: 'directory', size: 1 })
    expect((await fs('rm', directory)).stderr).toContain('fs rm -r')
    expect(await json(cwd, ['fs', 'rm', '-r', directory])).toMatchObject({ removed: 4 })
    expect((await fs('cat', `${directory}/a`)).code).toBe(3)
    expect((await fs('stat', directory)).code).toBe(3)
  })

  test('watch tells what happens until it is interrupted', async () => {
    const name = fresh()
    await json(cwd, ['fs', 'mkdir', name])
    const watching = start(cwd, ['fs', 'watch', name, '--json'])
    await until(
      () => json<{ handles: number }>(cwd, ['fs', 'stat', name]),
      ({ handles }) => handles === 1,
    )
    await json(cwd, ['fs', 'write', `${name}/a`, '1'])
    await until(
      async () => watching.stdout(),
      (text) => text.includes('children'),
    )
    watching.child.kill('SIGINT')
    const ended = await watching.ended
    expect(ended.code, ended.stderr).toBe(0)
    expect(ended.stdout).toContain('{"type":"children","change":"added","name":"a"}\n')
  })

  test('keeps out whom a list does not name', async () => {
    const [name, list] = [fresh(), `list-${++names}`]
    await json(cwd, ['fs', 'write', name, 'secret'])
    const key = join(cwd, 'client.key')
    const holder = start(cwd, ['lock', fresh(), '--identity', key, '--', 'sleep', '600'])
    const { sessions } = await until(
      () => json<{ sessions: { session: string; principal: string; locks: number }[] }>(cwd, ['session', 'list']),
      ({ sessions: seen }) => seen.some(({ locks: held }) => held === 1),
    )
    const own = sessions.find(({ locks: held }) => held === 1)
    await json(cwd, ['fs', 'write', `acl/${list}`, `${own?.principal}\n`])
    expect(await json(cwd, ['fs', 'acl', name, '--read', list])).toMatchObject({ read: list, write: '' })
    expect((await run(cwd, ['fs', 'cat', name])).code).toBe(3)
    const known = await run(cwd, ['fs', 'cat', name, '--identity', key])
    expect(known.stdout, known.stderr).toBe('secret')

    // And only its client ends a session.
    const refused = await run(cwd, ['session', 'end', String(own?.session)])
    expect(refused).toMatchObject({ code: 3 })
    expect(refused.stderr).toContain('only that client may end it')
    expect((await run(cwd, ['session', 'end', String(own?.session), '--identity', key])).code).toBe(0)
    expect((await holder.ended).code).toBe(76)
    expect((await run(cwd, ['session', 'show', String(own?.session)])).code).toBe(3)
  })
})

describe('a lock whose cluster is away', { timeout: 60_000 }, () => {
  test('is given up in time: SIGTERM, then SIGKILL, then exit code 76', async () => {
    const holder = await holding(fresh(), ['--ttl', '3s', '--kill-after', '500ms'], {
      first: 'trap "echo asked" TERM',
      rest: forEver,
    })
    for (const record of await records(cwd)) signalProcess(record, 'SIGSTOP')
    const ended = await holder.ended
    expect(ended.stdout).toBe('asked\n')
    expect(ended.code, ended.stderr).toBe(76)
    expect(stateOf(recordOf(holder.pid))).toBe('dead')
    for (const record of await records(cwd)) signalProcess(record, 'SIGCONT')
  })
})
