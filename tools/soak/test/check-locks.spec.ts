import { describe, expect, test } from 'vitest'
import { checkLocks } from '../src/check/locks.ts'
import type { Hold } from '../src/history.ts'

const hold = (worker: string, token: number, from: number, until: number, more: Partial<Hold> = {}): Hold => ({
  worker,
  path: '/a',
  mode: 'exclusive',
  token: String(token),
  from,
  until,
  lost: false,
  ...more,
})
const shared = { mode: 'shared' } as const

/** One thing after the other, sharers together, another lock beside them. */
const good: readonly Hold[] = [
  hold('a', 1, 0, 10),
  hold('b', 2, 20, 90, shared),
  hold('c', 2, 30, 40, shared),
  hold('a', 3, 25, 60, { path: '/b' }),
  hold('a', 4, 91, 95),
  hold('b', 10, 100, 110, { lost: true }),
]

describe('what workers believed of locks', () => {
  test('a run in which all is right', () => {
    expect(checkLocks(good)).toEqual([])
  })

  test.each<[string, Hold, string]>([
    ['two at once', hold('c', 5, 94, 97), 'mutual exclusion'],
    ['at one instant', hold('c', 5, 95, 97), 'mutual exclusion'],
    ['alone among sharers, though another of them came and went meanwhile', hold('d', 5, 85, 86), 'mutual exclusion'],
    ['a sharer while another is alone', hold('d', 9, 5, 8, shared), 'mutual exclusion'],
    ['a token that fell', hold('d', 3, 120, 130), 'fencing tokens'],
    ['a token that was used before', hold('d', 10, 120, 130), 'fencing tokens'],
    ['a token of another lock', hold('d', 3, 96, 97), 'fencing tokens'],
    ['a token of an earlier time', hold('d', 9, 111, 130), 'fencing tokens'],
  ])('%s', (_, wrong, check) => {
    expect(checkLocks([...good, wrong]).map((violation) => violation.check)).toContain(check)
  })

  test('nothing was ever held', () => {
    expect(checkLocks([])).toMatchObject([{ check: 'idle' }])
  })
})
