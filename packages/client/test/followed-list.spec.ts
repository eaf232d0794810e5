import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FollowedList } from '../src/services/followed-list.ts'
import { checkedInstance } from '../src/services/instance.ts'
import type { ServiceList } from '../src/services/service-list.ts'

const [a, b, c] = ['a', 'b', 'c'].map((id) => checkedInstance({ id, address: 'web:1' })) as [
  ReturnType<typeof checkedInstance>,
  ReturnType<typeof checkedInstance>,
  ReturnType<typeof checkedInstance>,
]

const textOf = ({ instances, stale }: ServiceList): string =>
  `${instances.map(({ id }) => id).join('')}${stale ? ' stale' : ''}`

const followed = (settle = 1000) => {
  const told: string[] = []
  const list = new FollowedList('web', settle, (each) => told.push(textOf(each)))
  return { list, told }
}

beforeEach(() => {
  vi.useFakeTimers({ now: 5000 })
})
afterEach(() => {
  vi.useRealTimers()
})

test('a list is told when it is another, and only then', () => {
  const { list, told } = followed()
  list.away('nobody answers')
  expect(list.current).toBeUndefined()
  list.heard([a])
  list.heard([a])
  list.heard([{ ...a, weight: 2 }])
  list.heard([])
  expect(told).toEqual(['a', 'a', ''])
})

test('while the cluster is away it stays, and is stale since then', () => {
  const { list } = followed()
  list.heard([a, b])
  vi.setSystemTime(7000)
  list.away('nobody answers')
  vi.setSystemTime(9000)
  list.away('nobody answers yet')
  const expected = { service: 'web', instances: [a, b], stale: true, since: 7000, reason: 'nobody answers yet' }
  expect(list.current).toEqual(expected)
  list.heard([a, b])
  expect(list.current).toEqual({ service: 'web', instances: [a, b], stale: false })
})

test('who is missing when the cluster is back stays for a while, unless it is seen and goes again', () => {
  const { list, told } = followed()
  list.heard([a, b])
  list.away('nobody answers')
  list.heard([c])
  list.heard([a, c])
  list.heard([c])
  expect(told).toEqual(['ab', 'ab stale', 'abc stale', 'bc stale'])
  vi.advanceTimersByTime(999)
  expect(told).toHaveLength(4)
  vi.advanceTimersByTime(1)
  expect(told.at(-1)).toBe('c')
})

test('it is fresh as soon as all are back', () => {
  const { list, told } = followed()
  list.heard([a, b])
  list.away('nobody answers')
  list.heard([])
  list.heard([b])
  list.heard([a, b])
  expect(told).toEqual(['ab', 'ab stale', 'ab stale', 'ab'])
  vi.advanceTimersByTime(5000)
  expect(told).toHaveLength(4)
})

test('the cluster may be away again meanwhile: the time begins anew', () => {
  const { list, told } = followed()
  list.heard([a])
  list.away('nobody answers')
  list.heard([])
  vi.advanceTimersByTime(900)
  list.away('nobody answers')
  vi.advanceTimersByTime(5000)
  expect(told.at(-1)).toBe('a stale')
  list.heard([])
  vi.advanceTimersByTime(999)
  expect(told.at(-1)).toBe('a stale')
  vi.advanceTimersByTime(1)
  expect(told.at(-1)).toBe('')
})

test('what was kept from before gives way to the cluster at once if that was never away', () => {
  const { list, told } = followed()
  list.kept([a, b], 1000)
  expect(list.current).toMatchObject({ stale: true, since: 1000 })
  list.heard([b])
  expect(told).toEqual(['ab stale', 'b'])
})

test('what was kept from before has time to come back if the cluster was away', () => {
  const { list, told } = followed()
  list.kept([a], 1000)
  list.away('nobody answers')
  expect(list.current).toMatchObject({ since: 1000 })
  list.heard([])
  expect(told.at(-1)).toBe('a stale')
  list.stop()
  vi.advanceTimersByTime(5000)
  expect(told.at(-1)).toBe('a stale')
})

test('without time to come back nobody stays', () => {
  const { list, told } = followed(0)
  list.heard([a])
  list.away('nobody answers')
  list.heard([])
  expect(told).toEqual(['a', 'a stale', ''])
})
