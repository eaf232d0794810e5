import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { timingOf } from '../src/locks/hold.ts'
import { watchLeaseEnd } from '../src/locks/lease-end.ts'
import { pathOf } from '../src/locks/name.ts'
import { parseSessionId, sessionIdText } from '../src/locks/session-id.ts'

test('a short name is one of the own cell', () => {
  expect(pathOf('jobs/nightly')).toBe('/ls/local/jobs/nightly')
  expect(pathOf('jobs/')).toBe('/ls/local/jobs')
  expect(pathOf('/ls/other/jobs')).toBe('/ls/other/jobs')
  expect(pathOf()).toBe('/ls/local')
})

test('the id of a session is read as it is written', () => {
  for (const id of [0n, 1n, 0xffff_ffff_ffff_ffffn]) expect(parseSessionId(sessionIdText(id))).toBe(id)
  expect(() => parseSessionId('12')).toThrow('is no session id')
})

test('a command is stopped after the lease should have been extended, and within its lease', () => {
  expect(timingOf({ ttl: '12s' })).toEqual({ ttl: 12_000, killAfter: 5000, margin: 250 })
  expect(timingOf({ ttl: '3s' })).toEqual({ ttl: 3000, killAfter: 1000, margin: 150 })
  expect(timingOf({ ttl: '10s', 'kill-after': '0s' }).killAfter).toBe(0)
  expect(() => timingOf({ ttl: '12s', 'kill-after': '7s' })).toThrow('more than half')
  for (const ttl of [500, 1000, 12_000, 60_000]) {
    const { killAfter, margin } = timingOf({ ttl: `${ttl}ms` })
    // A lease that is extended when two thirds of it are left has six tenths of it left by the client's clock.
    expect(killAfter + margin).toBeLessThan(ttl * 0.6)
  }
})

describe('the end of a lease', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('is near unless it was extended', () => {
    const session = { validUntil: performance.now() + 1000 }
    const said: string[] = []
    watchLeaseEnd({
      session,
      before: 300,
      extended: (until) => said.push(`extended to ${until - session.validUntil + 2000}`),
      near: () => said.push('near'),
    })
    session.validUntil += 1000
    vi.advanceTimersByTime(700)
    expect(said).toEqual(['extended to 2000'])
    vi.advanceTimersByTime(999)
    expect(said).toHaveLength(1)
    vi.advanceTimersByTime(1)
    expect(said).toEqual(['extended to 2000', 'near'])
    vi.advanceTimersByTime(60_000)
    expect(said).toHaveLength(2)
  })

  test('that is no longer watched is near to nobody', () => {
    const near = vi.fn()
    const stop = watchLeaseEnd({
      session: { validUntil: performance.now() + 10 },
      before: 0,
      extended: () => {},
      near,
    })
    stop()
    vi.advanceTimersByTime(100)
    expect(near).not.toHaveBeenCalled()
  })
})
