import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { watchHealth } from '../src/health-watch.ts'

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
      well: false,
      delay: 0,
      ...limits,
      changed: (well, why) => said.push(well ? 'well' : `ill: ${why}`),
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

  test('finds ill until enough in a row are good, and well until enough in a row are bad', async () => {
    // The first check is made at once.
    const { said, stop, good, bad } = watched({ rise: 3, fall: 2 })
    await good(1)
    expect(said).toEqual([])
    await bad(1)
    await good(2)
    expect(said).toEqual([])
    await good(1)
    expect(said).toEqual(['well'])
    await bad(1)
    await good(1)
    await bad(1)
    expect(said).toEqual(['well'])
    await bad(1)
    expect(said).toEqual(['well', 'ill: refused'])
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
      well: true,
      delay: 1000,
      changed: (well, why) => said.push(well ? 'well' : `ill: ${why}`),
    })
    await vi.advanceTimersByTimeAsync(1299)
    expect(given?.aborted).toBe(false)
    expect(said).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(given?.aborted).toBe(true)
    expect(said).toEqual(['ill: no answer to a check within 300 ms'])
    stop()
  })
})
