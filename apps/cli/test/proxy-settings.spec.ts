import { expect, test } from 'vitest'
import { balancerOf } from '../src/proxy/settings.ts'

const fail = (balancer: ReturnType<typeof balancerOf>, id: string): void => {
  for (let at = 0; at < 5; at++) balancer.settled?.({ id }, { latency: 1, error: new Error('500') })
}

test('an instance whose requests fail is left out, unless there is no other', () => {
  const balancer = balancerOf('round-robin', true, undefined)
  const [one, two] = [{ id: 'one' }, { id: 'two' }]
  expect(balancer.pick({}, [one, two])).toBeDefined()
  fail(balancer, 'one')
  expect(balancer.fit?.(one)).toBe(false)
  for (let at = 0; at < 4; at++) expect(balancer.pick({}, [one, two])).toBe(two)
  expect(balancer.pick({}, [one])).toBe(one)
})
