import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type StrategyName, strategies } from '@conclave/balance'
import { seededRandom } from '@conclave/interface'
import { expect, test } from 'vitest'
import type { ConclaveProxy } from '../src/index.ts'
import { after, ask, httpProxy, Lists } from './world.ts'

interface InstanceProcess {
  readonly address: string
  readonly child: ChildProcess
  served(): Promise<number>
}

/** @param millis that each request takes, one after the other. */
const start = async (name: string, millis = 0, backlog = 511): Promise<InstanceProcess> => {
  const file = join(import.meta.dirname, 'instance-process.ts')
  const child = spawn(process.execPath, [file, name, String(millis), String(backlog)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  after(() => child.kill('SIGKILL'))
  const [port] = await once(child.stdout, 'data')
  const address = `127.0.0.1:${Number(port)}`
  return {
    address,
    child,
    served: async () =>
      Number((await ask({ address: { address: '', family: '', port: Number(port) } }, '/count')).text),
  }
}

interface Load {
  readonly failures: readonly string[]
  readonly by: ReadonlyMap<string, number>
}

/** So many closed loops of GETs. @param at called before the request of this number. */
const load = async (
  proxy: ConclaveProxy,
  { loops, requests }: { readonly loops: number; readonly requests: number },
  at: (number: number) => void = () => {},
): Promise<Load> => {
  const agent = new Agent({ keepAlive: true, maxSockets: loops })
  const failures: string[] = []
  const by = new Map<string, number>()
  let next = 0
  const loop = async (): Promise<void> => {
    while (next < requests) {
      at(next++)
      try {
        const { status, text } = await ask(proxy, '/', { agent })
        if (status === 200) by.set(text, (by.get(text) ?? 0) + 1)
        else failures.push(`${status} ${text}`)
      } catch (error) {
        failures.push(String(error))
      }
    }
  }
  await Promise.all(Array.from({ length: loops }, loop))
  agent.destroy()
  return { failures, by }
}

test('one is killed, one joins and one leaves under load: nothing fails but what was under way at the killed one', async () => {
  const [killed, stays, leaves, joins] = await Promise.all(
    ['killed', 'stays', 'leaves', 'joins'].map((name) => start(name)),
  )
  if (killed === undefined || stays === undefined || leaves === undefined || joins === undefined) throw new Error()
  const lists = new Lists(killed.address, stays.address, leaves.address)
  const proxy = await httpProxy(lists)
  let [inFlight, servedWhenLeft] = [0, -1]
  const left = new Promise<void>((resolve) => {
    proxy.on('left', async () => {
      servedWhenLeft = await leaves.served()
      resolve()
    })
  })
  const { failures, by } = await load(proxy, { loops: 16, requests: 3_000 }, (number) => {
    if (number === 500) {
      inFlight = proxy.instances.find(({ address }) => address === killed.address)?.active ?? 0
      killed.child.kill('SIGKILL')
    }
    if (number === 1_000) lists.set(killed.address, stays.address, leaves.address, joins.address)
    if (number === 2_000) lists.set(killed.address, stays.address, joins.address)
  })
  await left
  expect(failures.length, failures.join('\n')).toBeLessThanOrEqual(inFlight)
  expect(by.get('joins')).toBeGreaterThan(300)
  expect(by.get('stays')).toBeGreaterThan(1_000)
  // Those that were under way as it left may have ended since.
  expect(await leaves.served()).toBeLessThanOrEqual(servedWhenLeft + 16)
  expect(proxy.metrics.retries.refused).toBe(0)
}, 60_000)

test('an instance that is stopped, and takes no connection in time, is passed over', async () => {
  const [stopped, works] = [await start('stopped', 0, 1), await start('works')]
  stopped.child.kill('SIGSTOP')
  const port = Number(stopped.address.split(':')[1])
  // What the system accepts for it without its doing is soon used up.
  for (let at = 0; at < 16; at++) {
    const socket = connect({ host: '127.0.0.1', port }).on('error', () => {})
    after(() => socket.destroy())
  }
  const proxy = await httpProxy([stopped.address, works.address], { timeouts: { connect: 200 } })
  expect(await ask(proxy, '/', { method: 'POST', body: 'x' })).toMatchObject({ status: 200, text: 'works' })
  expect(proxy.metrics.retries.unreached).toBe(1)
})

test('an instance twenty times slower than four others gets far less from who looks at what is under way', async () => {
  const requests = 1_000
  const shareOf = async (name: StrategyName): Promise<number> => {
    const instances = await Promise.all(
      [40, 2, 2, 2, 2].map((millis) => start(millis === 40 ? 'slow' : 'fast', millis)),
    )
    const proxy = await httpProxy(
      instances.map(({ address }) => address),
      { balancer: strategies[name].factory({ random: seededRandom(1), now: () => performance.now() }) },
    )
    const { failures, by } = await load(proxy, { loops: 16, requests })
    expect(failures).toEqual([])
    return by.get('slow') ?? 0
  }
  const turns = await shareOf('round-robin')
  expect(turns).toBe(requests / 5)
  expect(await shareOf('p2c')).toBeLessThan(turns / 3)
  expect(await shareOf('peak-ewma')).toBeLessThan(turns / 3)
}, 120_000)
