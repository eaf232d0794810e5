import { expect, test } from 'vitest'
import { balancerOf, parseSticky } from '../src/proxy/settings.ts'

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

test('what requests are sticky by is taken as it is written, or refused', async () => {
  expect(await parseSticky(undefined, undefined)).toBeUndefined()
  expect(await parseSticky('header:X-User', undefined)).toEqual({ by: 'header', name: 'X-User' })
  await expect(parseSticky('header:X-User:y', undefined)).rejects.toThrow('--sticky header:X-User:y is not known')
  await expect(parseSticky('header:', undefined)).rejects.toThrow('is not known')
  await expect(parseSticky('address', 'secret')).rejects.toThrow('--sticky-secret is for --sticky cookie only')
  await expect(parseSticky(undefined, 'secret')).rejects.toThrow('--sticky-secret is for --sticky cookie only')
})
