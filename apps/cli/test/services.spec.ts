import { createServer } from 'node:net'
import { checkedInstance } from '@conclave/client/recipes'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { probeOf, watchHealth } from '../src/services/health-check.ts'
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

describe('a health check', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** Checks that come out as they are told to, one a second. */
  const watched = (limits: { readonly rise: number; readonly fall: number }) => {
    const said: string[] = []
    let next: () => Promise<void> = () => Promise.resolve()
    const stop = watchHealth({
      probe: () => next(),
      interval: 1000,
      timeout: 300,
      ...limits,
      changed: (health, reason) => said.push(reason === undefined ? health : `${health}: ${reason}`),
    })
    const come = async (probe: () => Promise<void>, times: number): Promise<void> => {
      next = probe
      await vi.advanceTimersByTimeAsync(1000 * times)
    }
    return {
      said,
      stop,
      good: (times: number) => come(() => Promise.resolve(), times),
      bad: (times: number) => come(() => Promise.reject(new Error('refused')), times),
    }
  }

  test('is failing until enough in a row are good, and passing until enough in a row are bad', async () => {
    // The first check is made at once.
    const { said, stop, good, bad } = watched({ rise: 3, fall: 2 })
    await good(1)
    expect(said).toEqual([])
    await bad(1)
    await good(2)
    expect(said).toEqual([])
    await good(1)
    expect(said).toEqual(['passing'])
    await bad(1)
    await good(1)
    await bad(1)
    expect(said).toEqual(['passing'])
    await bad(1)
    expect(said).toEqual(['passing', 'failing: refused'])
    await bad(5)
    expect(said).toHaveLength(2)
    stop()
    await good(9)
    expect(said).toHaveLength(2)
  })

  test('that takes too long is a bad one, and is given up', async () => {
    const said: string[] = []
    let given: AbortSignal | undefined
    const stop = watchHealth({
      probe: (signal) => {
        given = signal
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      },
      interval: 1000,
      timeout: 300,
      rise: 1,
      fall: 1,
      changed: (health, reason) => said.push(`${health}: ${reason}`),
    })
    await vi.advanceTimersByTimeAsync(299)
    expect(given?.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(given?.aborted).toBe(true)
    stop()
  })
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
