import { expect, test, vi } from 'vitest'
import { hold } from '../src/locks/hold.ts'

vi.mock('../src/locks/open-session.ts', () => ({
  sessionFlags: {},
  openSession: async () => ({
    session: { lock: async () => ({ held: true }) },
    [Symbol.asyncDispose]: async () => {},
  }),
}))

test('a signal ends a client that has the lock, and waits for a cluster that says nothing', async () => {
  const begun = vi.fn(() => new Promise<void>(() => {}))
  const flags = { ttl: '12s', 'lock-delay': '0s', timeout: 5, 'exit-busy': 75, 'exit-lost': 76 }
  const holding = hold(flags, { path: '/ls/local/a', mode: 'exclusive', command: [], held: begun })
  await vi.waitFor(() => expect(begun).toHaveBeenCalled())
  process.emit('SIGINT', 'SIGINT')
  expect(await holding).toBe(130)
})
