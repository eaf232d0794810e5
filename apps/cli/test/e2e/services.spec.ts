import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ServiceInstance } from '@conclave/client/recipes'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { recordOf, signalProcess, stateOf } from '../../src/local/process.ts'
import { json, type Running, records, run, start, until } from './cli.ts'

let cwd = ''
let names = 0
const running: Running[] = []
/** A service that no other test uses. */
const fresh = (): string => `service-${++names}`
const address = '127.0.0.1:4711'

const list = async (service: string, ...filter: string[]): Promise<readonly ServiceInstance[]> =>
  (await json<{ instances: readonly ServiceInstance[] }>(cwd, ['service', 'list', service, ...filter])).instances

const listed = (service: string, wanted: (instances: readonly ServiceInstance[]) => boolean) =>
  until(() => list(service), wanted)

/** Something of the command that runs until it is ended. */
const begin = (...args: string[]): Running => {
  const begun = start(cwd, ['service', ...args])
  running.push(begun)
  return begun
}

const register = (service: string, ...args: string[]): Running =>
  begin('register', service, '--address', address, ...args)

const says = (what: Running, words: string): Promise<string> =>
  until(
    async () => what.stdout(),
    (text) => text.includes(words),
  )

/** A shell that waits for a signal, and has written its pid by then. */
const shell = (file: string, trap: string): string[] => [
  '--',
  'sh',
  '-c',
  `trap '${trap}' TERM; echo $$ > ${file}; while :; do sleep 600 & wait $!; done`,
]
const pidIn = async (file: string): Promise<number> =>
  Number(
    await until(
      () => readFile(file, 'utf8').catch(() => ''),
      (text) => text.endsWith('\n'),
    ),
  )

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'conclave-e2e-'))
  await json(cwd, ['up', '-d'])
}, 60_000)
afterAll(async () => {
  for (const { child } of running) child.kill('SIGKILL')
  for (const record of await records(cwd)) signalProcess(record, 'SIGCONT')
  await run(cwd, ['down'])
  for (const record of await records(cwd)) signalProcess(record, 'SIGKILL')
  await rm(cwd, { recursive: true, force: true })
}, 60_000)

describe('conclave service register', { timeout: 120_000 }, () => {
  test('has the instance on the list for as long as the command runs, tells the command, and passes its exit code on', async () => {
    const web = fresh()
    const file = join(cwd, web)
    const script = `echo $CONCLAVE_SERVICE_NAME $CONCLAVE_SERVICE_ID $CONCLAVE_SERVICE_ADDRESS; until [ -e ${file} ]; do sleep 0.05; done; exit 7`
    const more = ['--id', 'one', '--weight', '2.5', '--tag', 'blue', '--tag', 'v2', '--zone', 'a']
    const instance = register(web, ...more, '--', 'sh', '-c', script)
    const expected = { id: 'one', address, weight: 2.5, tags: ['blue', 'v2'], health: 'passing', zone: 'a' }
    expect(await listed(web, ({ length }) => length === 1)).toEqual([expected])
    expect(await list(web, '--tag', 'blue', '--tag', 'green')).toEqual([])
    await run(cwd, ['fs', 'write', `services/${web}/by-hand`, 'nonsense'])
    const shown = await run(cwd, ['service', 'list', web, '--passing', '--tag', 'v2'])
    expect(shown.stdout).toBe(
      'instance  address         weight  health   zone  tags\none       127.0.0.1:4711     2.5  passing  a     blue v2\n',
    )
    expect(shown.stderr).toContain(`${web}/by-hand says nothing that can be used`)
    const { services } = await json<{ services: unknown[] }>(cwd, ['service', 'list'])
    expect(services).toContainEqual({ service: web, instances: 1, passing: 1 })
    await writeFile(file, '')
    const ended = await instance.ended
    expect(ended.code, ended.stderr).toBe(7)
    expect(ended.stdout).toBe(`${web} one ${address}\n`)
    expect(ended.stderr).toBe(`registered ${web}/one\nderegistered ${web}/one\n`)
    expect(await list(web)).toEqual([])
  })

  test('is failing until its check passes, and says so as that changes', async () => {
    const web = fresh()
    let healthy = false
    const server: Server = createServer((_, response) => response.writeHead(healthy ? 204 : 503).end())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const at = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const quick = ['--health-interval', '50ms', '--health-rise', '1', '--health-fall', '2']
    const check = ['--health', `http://${at}/health`, ...quick]
    const instance = begin('register', web, '--address', at, ...check, '--json')
    await says(instance, 'registered')
    expect(await list(web)).toMatchObject([{ health: 'failing' }])
    healthy = true
    await listed(web, ([found]) => found?.health === 'passing')
    healthy = false
    await listed(web, ([found]) => found?.health === 'failing')
    expect(await list(web, '--passing')).toEqual([])
    instance.child.kill('SIGTERM')
    expect((await instance.ended).code).toBe(0)
    await new Promise((resolve) => server.close(resolve))
    const events = instance.stdout().trim().split('\n')
    expect(events.map((line) => JSON.parse(line))).toEqual([
      { event: 'registered', service: web, id: at },
      { event: 'passing', service: web, id: at },
      { event: 'failing', service: web, id: at, reason: '/health answered with 503' },
      { event: 'deregistered', service: web, id: at },
    ])
  })

  test('killed outright takes the command along, and the instance is gone once its ttl is over', async () => {
    const web = fresh()
    const file = join(cwd, web)
    const instance = register(web, '--ttl', '2s', ...shell(file, ''))
    const pid = await pidIn(file)
    expect(await list(web)).toHaveLength(1)
    instance.child.kill('SIGKILL')
    await listed(web, ({ length }) => length === 0)
    await until(
      async () => stateOf(recordOf(pid)),
      (state) => state === 'dead',
    )
  })

  test('is off the list before the command is asked to end', async () => {
    const web = fresh()
    const file = join(cwd, web)
    const instance = register(web, '--drain', '1h', ...shell(file, 'echo asked; exit 3'))
    const pid = await pidIn(file)
    await listed(web, ({ length }) => length === 1)
    instance.child.kill('SIGTERM')
    await listed(web, ({ length }) => length === 0)
    // It is being drained: the command has heard of nothing.
    expect([stateOf(recordOf(pid)), instance.stdout()]).toEqual(['running', ''])
    instance.child.kill('SIGTERM')
    const ended = await instance.ended
    expect(ended.code, ended.stderr).toBe(3)
    expect(ended.stdout).toBe('asked\n')
  })

  test('waits until another instance of its id is gone, or replaces it, which ends that one', async () => {
    const web = fresh()
    const first = register(web)
    await says(first, 'registered')
    const second = register(web, '--weight', '2')
    await says(second, `waiting ${web}/${address}`)
    first.child.kill('SIGINT')
    expect((await first.ended).code).toBe(0)
    await says(second, 'registered')
    const third = register(web, '--weight', '3', '--replace')
    await says(third, 'registered')
    expect((await second.ended).code).toBe(76)
    expect(await list(web)).toMatchObject([{ weight: 3 }])
    third.child.kill('SIGINT')
    await third.ended
  })

  test('refuses what cannot be right before it does anything', async () => {
    const refused = async (...args: string[]): Promise<string> => {
      const ended = await run(cwd, ['service', 'register', ...args])
      expect(ended.code, args.join(' ')).toBe(2)
      return ended.stderr
    }
    expect(await refused('a/b', '--address', address)).toContain('the name of a service is')
    expect(await refused('web', '--address', '127.0.0.1')).toContain('an address is HOST:PORT')
    expect(await refused('web', '--address', address, '--weight', 'much')).toContain('a number above 0')
    expect(await refused('web', '--address', address, '--health', 'ping')).toContain('Write tcp')
    expect(await refused('web', '--address', address, '--ttl', '2m')).toContain('a ttl lies between')
    expect(await refused('web')).toContain('address')
  })
})

describe('conclave service deregister', { timeout: 120_000 }, () => {
  test('takes an instance off the list for good: alone it ends, its command goes on', async () => {
    const web = fresh()
    const file = join(cwd, web)
    const alone = register(web, '--id', 'alone')
    const other = begin('register', web, '--address', '127.0.0.1:1', ...shell(file, 'exit 3'))
    const pid = await pidIn(file)
    await listed(web, ({ length }) => length === 2)
    expect((await run(cwd, ['service', 'deregister', web, '127.0.0.1:9'])).code).toBe(3)
    const done = await run(cwd, ['service', 'deregister', web, address])
    expect(done.stdout, done.stderr).toBe(`deregistered ${web}/alone\n`)
    const ended = await alone.ended
    expect(ended.code).toBe(76)
    expect(ended.stdout).toContain('somebody deregistered it')
    await run(cwd, ['service', 'deregister', web, '127.0.0.1:1'])
    expect(await list(web)).toEqual([])
    expect(stateOf(recordOf(pid))).toBe('running')
    other.child.kill('SIGTERM')
    const { code, stderr } = await other.ended
    expect(code, stderr).toBe(3)
    expect(stderr).toContain(`removed ${web}/127.0.0.1:1`)
  })
})

describe('conclave service watch', { timeout: 120_000 }, () => {
  test('prints what there is, and what changes', async () => {
    const web = fresh()
    const people = begin('watch', web)
    const programs = begin('watch', web, '--json', '--count', '3')
    await says(people, `no instance of ${web}`)
    await says(programs, '[]')
    const instance = register(web, '--tag', 'v2')
    await says(people, `added ${address} passing, weight 1 tags v2`)
    await says(programs, address)
    instance.child.kill('SIGTERM')
    await says(people, `removed ${address}`)
    const lists = (await programs.ended).stdout.trim().split('\n')
    const found = { id: address, address, weight: 1, tags: ['v2'], health: 'passing' }
    expect(lists.map((line) => JSON.parse(line))).toEqual([
      { service: web, instances: [], stale: false },
      { service: web, instances: [found], stale: false },
      { service: web, instances: [], stale: false },
    ])
    people.child.kill('SIGINT')
    expect((await people.ended).code).toBe(0)
  })
})

describe('a registry whose cluster is away', { timeout: 120_000 }, () => {
  test('keeps the last list, which is stale until the cluster is back and the instance is registered again', async () => {
    const web = fresh()
    const instance = register(web, '--ttl', '1s')
    const watching = begin('watch', web, '--json')
    await says(watching, address)
    for (const record of await records(cwd)) signalProcess(record, 'SIGSTOP')
    await says(instance, 'jeopardy')
    await says(watching, '"stale":true')
    for (const record of await records(cwd)) signalProcess(record, 'SIGCONT')
    await until(
      async () => watching.stdout().trim().split('\n').at(-1) ?? '',
      (line) => line.includes('"stale":false') && line.includes(address),
    )
    expect(await list(web)).toHaveLength(1)
    for (const { child } of [instance, watching]) child.kill('SIGTERM')
    expect((await instance.ended).code).toBe(0)
    expect((await watching.ended).code).toBe(0)
  })
})
