import { describe, expect, test } from 'vitest'
import { type BalancerSubject, balancerCompliance } from '../src/balance.ts'
import { brokenBalancers, Drawing, type Server } from './broken-balancers.ts'

const subject = (name: string, balancer: typeof Drawing): BalancerSubject<number, Server> => ({
  name,
  balancer: (random) => new balancer(random),
  candidate: (index) => ({ name: `server ${index}` }),
  request: (index) => index,
})

balancerCompliance(subject('drawing', Drawing)).register({ describe, test })

describe('the suite of balancers', () => {
  test.each(Object.entries(brokenBalancers))('catches a balancer that %s', async (name, { found, broken }) => {
    const suite = balancerCompliance({ ...subject(name, broken), seeds: 1 })
    expect(await suite.run((one) => one.startsWith(found))).toHaveLength(1)
  })

  test('leaves out what a balancer does not offer, and says why', () => {
    const first = { pick: (_: number, servers: readonly string[]) => servers[0] }
    const suite = balancerCompliance({
      name: 'first',
      balancer: () => first,
      candidate: String,
      request: Number,
      seeds: 1,
    })
    expect(suite.report()).toMatch(/^the balancer first: 0 passed, 0 failed, 3 skipped, 8 not run; seed 1 /)
    expect(suite.report()).toContain('the balancer learns nothing from results: it has no settled')
  })
})
