import { expect, test } from 'vitest'
import { createProxy, defaultLimits, defaultTimeouts, fixedInstances } from '../src/index.ts'
import { resolveOptions } from '../src/options.ts'
import { backend, httpProxy, nobody, Turns } from './world.ts'

const good = { mode: 'http', listen: { port: 0 }, source: fixedInstances([]), balancer: new Turns() } as const

test.each<[string, object, string]>([
  ['mode', { mode: 'udp' }, 'mode is "http" or "tcp", got "udp"'],
  ['a stranger', { tls: true }, 'a proxy of mode http has no option "tls"'],
  ['an option of the other mode', { mode: 'tcp', via: 'x' }, 'a proxy of mode tcp has no option "via"'],
  ['listen', { listen: 80 }, 'listen is { host, port }'],
  ['listen.port', { listen: { port: 65_536 } }, 'listen.port is a whole number from 0 to 65535, got 65536'],
  ['listen.host', { listen: { port: 0, host: '' } }, 'listen.host is the address of an interface, got ""'],
  ['admin.port', { admin: { port: 1.5 } }, 'admin.port is a whole number from 0 to 65535, got 1.5'],
  ['source', { source: ['a:1'] }, 'source is an async iterable of lists of instances, such as fixedInstances([...])'],
  ['balancer', { balancer: {} }, 'balancer is a Balancer, with a method pick'],
  ['accessLog', { accessLog: true }, 'accessLog is a function'],
  ['health.check', { health: { check: 'udp' } }, 'health.check is "tcp" or "http"'],
  ['health.path', { health: { check: 'http', path: 'x' } }, 'health.path begins with / and has no spaces, got "x"'],
  ['health.fall', { health: { check: 'tcp', fall: 0 } }, 'health.fall is a whole number from 1 to 1000, got 0'],
  ['timeouts', { timeouts: { idle: 0 } }, 'timeouts.idle is a whole number from 1 to 2147483647, got 0'],
  ['a strange timeout', { timeouts: { life: 1 } }, 'timeouts has no "life"'],
  ['limits', { limits: { headers: Number.NaN } }, 'limits.headers is a whole number from 1 to 2147483647, got NaN'],
  ['retries.tries', { retries: { tries: 0 } }, 'retries.tries is a whole number from 1 to 100, got 0'],
  ['retries.ratio', { retries: { ratio: 2 } }, 'retries.ratio is a number from 0 to 1, got 2'],
  ['forwarded', { forwarded: true }, 'forwarded is "replace", "append" or "off", got true'],
  ['via', { via: 'two words' }, 'via is a name without spaces, got "two words"'],
  ['sticky', { sticky: { by: 'luck' } }, 'sticky.by is "cookie", "header" or "address"'],
  ['sticky.name', { sticky: { by: 'cookie', name: 'a;b' } }, 'sticky.name is the name of a cookie, got "a;b"'],
  ['sticky.secret', { sticky: { by: 'cookie', secret: 'x' } }, 'sticky.secret has at least 16 characters or bytes'],
  ['a cookie without HTTP', { mode: 'tcp', sticky: { by: 'cookie' } }, 'sticky of a proxy of mode tcp is by "address"'],
])('%s that cannot be is refused', async (_, wrong, message) => {
  const options = { ...good, ...wrong } as unknown as Parameters<typeof createProxy>[0]
  await expect(createProxy(options)).rejects.toThrow(message)
})

test('a header that cannot be is refused', async () => {
  await expect(createProxy({ ...good, sticky: { by: 'header', name: 'a b' } })).rejects.toThrow(TypeError)
})

test('what is left out has its default', () => {
  const resolved = resolveOptions({ ...good, timeouts: { idle: 5 }, limits: {} })
  expect(resolved.timeouts).toEqual({ ...defaultTimeouts, idle: 5 })
  expect(resolved.limits).toEqual(defaultLimits)
})

test('an address that is taken is an error of the system, and nothing is left', async () => {
  const { address } = await backend()
  const port = Number(address.split(':')[1])
  await expect(createProxy({ ...good, listen: { port } })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await expect(createProxy({ ...good, admin: { port } })).rejects.toMatchObject({ code: 'EADDRINUSE' })
})

test('a fixed list is checked', () => {
  expect(() => fixedInstances(['a:1', 'b'])).toThrow(RangeError)
})

test('a balancer that finds nobody fit: 503', async () => {
  const proxy = await httpProxy([await nobody()], { balancer: { pick: () => undefined } })
  const { ask } = await import('./world.ts')
  expect((await ask(proxy)).status).toBe(503)
})
