import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { signalProcess } from '../../src/local/process.ts'
import { json, killAll, type Running, records, run, start, until } from './cli.ts'

let cwd = ''
const running: Running[] = []
const cleanups: (() => unknown)[] = []

/** A command that runs until it is ended. */
const begin = (...args: string[]): Running => {
  const begun = start(cwd, args)
  running.push(begun)
  return begun
}

interface News {
  readonly event: string
  readonly address?: string
  readonly metrics?: string
  readonly [field: string]: unknown
}

const newsOf = ({ stdout }: Running): readonly News[] =>
  stdout()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as News)

/** The first line of this kind that a proxy prints, from a number of lines of this kind on. */
const told = async (proxy: Running, event: string, from = 0): Promise<News> => {
  const found = await until(
    async () => newsOf(proxy).filter((news) => news.event === event),
    ({ length }) => length > from || proxy.child.exitCode !== null,
  )
  const news = found[from]
  if (news === undefined) throw new Error(`the proxy ended: ${JSON.stringify(await proxy.ended)}`)
  return news
}

const server = async (name: string, held?: ServerResponse[]): Promise<string> => {
  const listening = createServer((_, res) => {
    if (held === undefined) res.end(name)
    else held.push(res)
  })
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    listening.close()
    listening.closeAllConnections()
  })
  return `127.0.0.1:${(listening.address() as AddressInfo).port}`
}

const get = async (
  address: string | undefined,
  path = '/',
): Promise<{ status: number; text: string; headers: Headers }> => {
  const response = await fetch(`http://${address}${path}`)
  return { status: response.status, text: await response.text(), headers: response.headers }
}

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'conclave-e2e-'))
  await json(cwd, ['up', '-d'])
}, 60_000)
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})
afterAll(async () => {
  for (const { child } of running) child.kill('SIGKILL')
  await run(cwd, ['down'])
  for (const record of await records(cwd)) signalProcess(record, 'SIGKILL')
  await rm(cwd, { recursive: true, force: true })
}, 60_000)

describe('conclave proxy', { timeout: 120_000 }, () => {
  test('forwards to what is registered, follows it, goes on without the cluster, and begins without it', async () => {
    const [first, second] = [await server('first'), await server('second')]
    const state = join(cwd, 'last-list')
    const flags = [
      '--service',
      'web',
      '--listen',
      '127.0.0.1:0',
      '--strategy',
      'round-robin',
      '--state',
      state,
      '--json',
    ]
    const proxy = begin('proxy', ...flags, '--metrics', '127.0.0.1:0')
    const { address, metrics } = await told(proxy, 'listening')
    expect(await get(address)).toMatchObject({ status: 503, text: 'no instance is there to serve this\n' })
    expect((await get(metrics, '/healthz')).status).toBe(503)

    begin('service', 'register', 'web', '--address', first, '--zone', 'here')
    expect(await told(proxy, 'joined')).toMatchObject({ address: first, id: first })
    expect(await get(address)).toMatchObject({ status: 200, text: 'first' })
    const other = begin('service', 'register', 'web', '--address', second)
    await told(proxy, 'joined', 1)
    expect(new Set([(await get(address)).text, (await get(address)).text])).toEqual(new Set(['first', 'second']))
    other.child.kill('SIGTERM')
    expect(await told(proxy, 'left')).toMatchObject({ address: second })
    for (let at = 0; at < 3; at++) expect((await get(address)).text).toBe('first')
    expect((await get(metrics, '/metrics')).text).toContain('conclave_proxy_requests_total{class="2xx"}')

    await killAll(cwd)
    await told(proxy, 'stale')
    expect(await get(address)).toMatchObject({ status: 200, text: 'first' })
    const late = begin('proxy', ...flags)
    expect(await told(late, 'joined')).toMatchObject({ address: first })
    expect((await get((await told(late, 'listening')).address)).text).toBe('first')

    proxy.child.kill('SIGTERM')
    late.child.kill('SIGINT')
    expect((await proxy.ended).code).toBe(0)
    expect((await late.ended).code).toBe(0)
    expect(newsOf(proxy).at(-1)).toMatchObject({ event: 'closed' })
    await json(cwd, ['up', '-d'])
  })

  test('needs no cluster for a fixed list, drains at a signal, and cuts at a second one', async () => {
    const held: ServerResponse[] = []
    const instance = await server('', held)
    const proxy = begin('proxy', '--instances', instance, '--listen', '127.0.0.1:0', '--access-log', '--drain', '1h')
    const { address } = await told(proxy, 'listening')
    const ends = get(address, '/ends')
    const cut = get(address, '/cut').catch((error: Error) => error)
    await until(
      async () => held.length,
      (count) => count === 2,
    )
    proxy.child.kill('SIGTERM')
    expect(await told(proxy, 'draining')).toMatchObject({ active: 2 })
    held.find(({ req }) => req.url === '/ends')?.end('well')
    expect(await ends).toMatchObject({ status: 200, text: 'well' })
    expect(await told(proxy, 'access')).toMatchObject({ method: 'GET', target: '/ends', status: 200, instance })
    proxy.child.kill('SIGTERM')
    expect(await cut).toBeInstanceOf(Error)
    expect((await proxy.ended).code).toBe(0)
  })

  test('keeps who comes again at one instance, with a key that proxies share', async () => {
    const instances = `${await server('a')},${await server('b')}`
    const secret = join(cwd, 'secret')
    await writeFile(secret, 'k'.repeat(32))
    const flags = ['--instances', instances, '--listen', '127.0.0.1:0', '--sticky', 'cookie', '--sticky-secret', secret]
    const [one, other] = [begin('proxy', ...flags), begin('proxy', ...flags)]
    const first = await get((await told(one, 'listening')).address)
    const cookie = first.headers.get('set-cookie')?.split(';')[0] ?? ''
    const { address } = await told(other, 'listening')
    for (let at = 0; at < 6; at++) {
      const response = await fetch(`http://${address}/`, { headers: { cookie } })
      expect([await response.text(), response.headers.get('set-cookie')]).toEqual([first.text, null])
    }
  })

  test('forwards TCP', async () => {
    const proxy = begin('proxy', '--instances', await server('by tcp'), '--listen', '127.0.0.1:0', '--mode', 'tcp')
    expect((await get((await told(proxy, 'listening')).address)).text).toBe('by tcp')
  })

  test.each([
    [['--listen', ':0'], 'Exactly one of the following must be provided: --instances, --service'],
    [['--listen', 'nowhere', '--instances', 'a:1'], '--listen nowhere is no address'],
    [['--listen', ':0', '--instances', 'a'], `an instance's address is HOST:PORT`],
    [['--listen', ':0', '--instances', 'a:1', '--sticky', 'luck'], '--sticky luck is not known'],
    [['--listen', ':0', '--instances', 'a:1', '--sticky', 'address'], 'needs a strategy that goes by keys'],
    [['--listen', ':0', '--instances', 'a:1', '--sticky', 'cookie', '--mode', 'tcp'], 'needs --mode http'],
    [['--listen', ':0', '--instances', 'a:1', '--health', 'udp'], '--health udp is no check'],
    [['--listen', ':0', '--instances', 'a:1', '--drain', 'long'], '--drain long is no time to wait'],
    [['--listen', ':0', '--instances', 'a:1', '--retry-ratio', '2'], '--retry-ratio 2 is no ratio'],
    [['--listen', ':0', '--instances', 'a:1', '--strategy', 'best'], 'Expected --strategy=best to be one of'],
    [['--listen', ':0', '--service', 'no/name'], 'the name of a service is'],
  ])('%j is wrong usage', async (flags, message) => {
    const { code, stderr } = await run(cwd, ['proxy', ...flags])
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
  })

  test('an address that is taken is said so', async () => {
    const taken = await server('')
    const { code, stderr } = await run(cwd, ['proxy', '--instances', 'a:1', '--listen', taken])
    expect([code, stderr]).toEqual([1, expect.stringContaining('EADDRINUSE')])
  })
})
