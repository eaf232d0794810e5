import { createServer } from 'node:net'
import { checkedInstance } from '@conclave/client/recipes'
import { expect, test } from 'vitest'
import { probeOf } from '../src/services/health-check.ts'
import { changeLines } from '../src/services/instance-view.ts'
import { isWanted } from '../src/services/service-flags.ts'

const instance = checkedInstance({ address: '10.0.0.1:80', tags: ['a', 'b'] })

test('an instance is wanted if it has all tags, and passes if it has to', () => {
  expect(isWanted(instance, { passing: true, tag: ['a', 'b'] })).toBe(true)
  expect(isWanted(instance, { passing: false, tag: ['a', 'c'] })).toBe(false)
  expect(isWanted({ ...instance, health: 'failing' }, { passing: true })).toBe(false)
  expect(isWanted({ ...instance, health: 'failing' }, { passing: false })).toBe(true)
})

test('what is different between two lists is told by id', () => {
  const named = checkedInstance({ id: 'x', address: 'web:1', weight: 2, zone: 'z' })
  expect(changeLines([], [instance, named])).toEqual([
    'added 10.0.0.1:80 passing, weight 1 tags a b',
    'added x at web:1 passing, weight 2 zone z',
  ])
  expect(changeLines([instance, named], [{ ...named, health: 'failing' }])).toEqual([
    'changed x at web:1 failing, weight 2 zone z',
    'removed 10.0.0.1:80',
  ])
  expect(changeLines([instance], [instance])).toEqual([])
})

test('tcp connects to the address, and nothing else is a check but an URL', async () => {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  const { signal } = new AbortController()
  await probeOf('tcp', `127.0.0.1:${port}`)(signal)
  await new Promise((resolve) => server.close(resolve))
  await expect(probeOf('tcp', `127.0.0.1:${port}`)(signal)).rejects.toThrow(/ECONNREFUSED/)
  await expect(probeOf(`http://127.0.0.1:${port}/`, 'web:1')(signal)).rejects.toThrow()
  for (const wrong of ['', 'ping', 'http://', 'ftp://web/'])
    expect(() => probeOf(wrong, 'web:1')).toThrow(/is no check/)
})
