import { expect, test } from 'vitest'
import { Caches } from '../src/service/caches.ts'
import { Lease } from '../src/service/lease.ts'

const leaseOf = (id: bigint): Lease => new Lease({ id, principal: 'p', lease: 1000 }, 1000)

test('a session that has read more than it may cache leaves nothing behind of what it reads beyond', () => {
  const caches = new Caches()
  const lease = leaseOf(1n)
  for (let at = 0; at < 20_000; at++) caches.enter(lease, `/ls/cell/${at}`)
  expect(caches.size).toBe(lease.cached.size)
  expect(caches.size).toBeLessThan(20_000)
})

test('sessions together cache no more than the leader has room for, and what others cache as well', () => {
  const caches = new Caches()
  for (let id = 1; id <= 12; id++) {
    const lease = leaseOf(BigInt(id))
    for (let at = 0; at < 16_384; at++) caches.enter(lease, `/ls/cell/${id}/${at}`)
  }
  const size = caches.size
  expect(size).toBeLessThan(12 * 16_384)
  const late = leaseOf(13n)
  expect(caches.enter(late, '/ls/cell/13/0')).toBe(false)
  expect(caches.enter(late, '/ls/cell/1/0')).toBe(true)
  expect(caches.size).toBe(size)
})

test('nothing is left of what a session cached that has to drop everything', () => {
  const caches = new Caches()
  const lease = leaseOf(1n)
  caches.enter(lease, '/ls/cell/a')
  caches.suspect(lease, lease.tell({ type: 'lost' }))
  expect(caches.size).toBe(0)
  expect(caches.enter(lease, '/ls/cell/b')).toBe(false)
  expect(caches.size).toBe(0)
})

test('a stream of changes of everything is let through, although some of them are always on their way', () => {
  const caches = new Caches()
  const lease = leaseOf(1n)
  const change = (): void =>
    caches.begin(
      'all',
      () => lease.tell({ type: 'invalidate', path: '' }),
      () => [lease],
    )
  change()
  lease.acknowledge(lease.told)
  caches.acknowledged(lease)
  change()
  expect(caches.isFlushed('all')).toBe(true)
  expect(caches.enter(lease, '/ls/cell/a')).toBe(false)
  caches.end('all')
  expect(caches.enter(lease, '/ls/cell/a')).toBe(false)
  caches.end('all')
  expect(caches.enter(lease, '/ls/cell/a')).toBe(true)
})
