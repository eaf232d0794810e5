import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { systemClock } from '../src/time.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test.each(['after', 'afterHolding'] as const)(
  'what is due beyond the reach of a timer is not due at once: %s',
  async (kind) => {
    const run = vi.fn()
    const cancel = systemClock[kind](Number.POSITIVE_INFINITY, run)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(run).not.toHaveBeenCalled()
    cancel()
  },
)
