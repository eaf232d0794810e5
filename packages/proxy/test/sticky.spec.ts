import type { ServerResponse } from 'node:http'
import { leastRequests } from '@conclave/balance'
import { seededRandom } from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import type { ProxyCandidate } from '../src/index.ts'
import { type Answer, ask, backend, httpProxy, Lists, Turns, until } from './world.ts'

const named = (name: string) => backend((_, res) => res.end(name))
const cookieOf = ({ headers }: Answer): string | undefined => headers['set-cookie']?.[0]?.split(';', 1)[0]

describe('by cookie', () => {
  test('a client goes where it went before', async () => {
    const servers = await Promise.all(['a', 'b', 'c'].map(named))
    const proxy = await httpProxy(
      servers.map(({ address }) => address),
      { sticky: { by: 'cookie' } },
    )
    const first = await ask(proxy)
    const [cookie] = first.headers['set-cookie'] ?? []
    expect(cookie).toMatch(/^conclave=[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax$/)
    for (let at = 0; at < 4; at++) {
      const next = await ask(proxy, '/', { headers: { cookie: `other=1; ${cookieOf(first)}; more=2` } })
      expect(next.text).toBe(first.text)
      expect(next.headers).not.toHaveProperty('set-cookie')
    }
    expect((await ask(proxy)).text).not.toBe(first.text)
  })

  test('what it brings is counted by the balancer, and so is its end', async () => {
    const held: ServerResponse[] = []
    const hold = () => backend((req, res) => void (req.url === '/hold' ? held.push(res) : res.end()))
    const servers = [await hold(), await hold()]
    const balancer = leastRequests<ProxyCandidate>({ random: seededRandom(1) })
    const proxy = await httpProxy(
      servers.map(({ address }) => address),
      { sticky: { by: 'cookie' }, balancer },
    )
    const cookie = cookieOf(await ask(proxy)) ?? ''
    const [busy, idle] = servers[0]?.count === 1 ? servers : servers.toReversed()
    const headers = { cookie }
    const answers = [ask(proxy, '/hold', { headers }), ask(proxy, '/hold', { headers })]
    await until(() => held.length === 2)
    await ask(proxy, '/', { headers })
    for (let at = 0; at < 8; at++) await ask(proxy)
    expect(idle?.count).toBe(8)
    expect(busy?.count).toBe(4)
    for (const res of held) res.end()
    await Promise.all(answers)
  })

  test('its value tells nothing of the address, and is the same for who has the secret', async () => {
    const server = await named('a')
    const cookieWith = async (secret: string) =>
      cookieOf(await ask(await httpProxy([server.address], { sticky: { by: 'cookie', name: 'at', secret } })))
    const [one, same, other] = [
      await cookieWith('s'.repeat(16)),
      await cookieWith('s'.repeat(16)),
      await cookieWith('t'.repeat(16)),
    ]
    expect(one).toMatch(/^at=/)
    expect(same).toBe(one)
    expect(other).not.toBe(one)
    expect(Buffer.from(one?.slice(3) ?? '', 'base64url').toString('latin1')).not.toContain('127')
  })

  test('one whose instance is gone goes to another, and is told so', async () => {
    const servers = await Promise.all(['a', 'b'].map(named))
    const [first, second] = servers.map(({ address }) => address) as [string, string]
    const lists = new Lists(first)
    const proxy = await httpProxy(lists, { sticky: { by: 'cookie', secure: true } })
    const answer = await ask(proxy)
    expect(answer.text).toBe('a')
    lists.set(second)
    await until(() => proxy.instances[0]?.address === second)
    const next = await ask(proxy, '/', { headers: { cookie: cookieOf(answer) } })
    expect(next.text).toBe('b')
    expect(next.headers['set-cookie']?.[0]).toMatch(/; Secure$/)
    expect(cookieOf(next)).not.toBe(cookieOf(answer))
  })

  test('one whose instance takes no connections goes to another', async () => {
    const servers = await Promise.all(['a', 'b'].map(named))
    const proxy = await httpProxy(
      servers.map(({ address }) => address),
      { sticky: { by: 'cookie' } },
    )
    const answer = await ask(proxy)
    servers.find((_, at) => answer.text === 'ab'[at])?.server.close()
    servers.find((_, at) => answer.text === 'ab'[at])?.server.closeAllConnections()
    const next = await ask(proxy, '/', { headers: { cookie: cookieOf(answer) } })
    expect(next.text).not.toBe(answer.text)
    expect(cookieOf(next)).toBeDefined()
  })

  test.each(['conclave=forged-forged-forged-1', 'conclave=', 'conclave', 'xconclave=abc'])(
    'one that the proxy did not make means nothing: %s',
    async (cookie) => {
      const proxy = await httpProxy([(await named('a')).address], { sticky: { by: 'cookie' } })
      expect(cookieOf(await ask(proxy, '/', { headers: { cookie } }))).toBeDefined()
    },
  )
})

test('by a header, its value is the key for the balancer', async () => {
  const balancer = new Turns()
  const proxy = await httpProxy([(await named('a')).address], { balancer, sticky: { by: 'header', name: 'X-User' } })
  await ask(proxy, '/', { headers: { 'x-user': 'ann' } })
  await ask(proxy)
  expect(balancer.keys).toEqual(['ann', undefined])
})

test('by address, it is the key for the balancer', async () => {
  const balancer = new Turns()
  const proxy = await httpProxy([(await named('a')).address], { balancer, sticky: { by: 'address' } })
  await ask(proxy)
  expect(balancer.keys).toEqual(['127.0.0.1'])
})
