import { describe, expect, test } from 'vitest'
import { criticalValue } from '../src/balance/chi-square.ts'
import { type BalancerSubject, balancerCompliance } from '../src/balance.ts'
import { brokenBalancers, Drawing, type Server } from './broken-balancers.ts'
import { brokenHashing, Hashing } from './broken-hashing.ts'
import { brokenHealth, Judging } from './broken-health.ts'
import { brokenWeights, Weighing, type WeightedServer } from './broken-weights.ts'

const subject = (name: string, balancer: typeof Drawing): BalancerSubject<number, Server> => ({
  name,
  balancer: (random) => new balancer(random),
  candidate: (index) => ({ name: `server ${index}` }),
  request: (index) => index,
})

const weighing = (name: string, balancer: typeof Weighing): BalancerSubject<number, WeightedServer> => ({
  name,
  balancer: (random) => new balancer(random),
  candidate: (index) => ({ name: `server ${index}`, weight: 1 }),
  request: Number,
  shares: (candidates) => {
    const total = candidates.reduce((sum, { weight }) => sum + weight, 0)
    return candidates.map(({ weight }) => weight / total)
  },
  weights: { candidate: (index, weight) => ({ name: `server ${index}`, weight }) },
})

const hashing = (name: string, balancer: typeof Hashing): BalancerSubject<string, Server> => ({
  name,
  balancer: (random) => new balancer(random),
  candidate: (index) => ({ name: `server ${index}` }),
  request: String,
  keys: { request: (key) => key, moved: 0 },
})

const judging = (name: string, balancer: typeof Judging): BalancerSubject<number, Server, Judging> => ({
  name,
  balancer: (random) => new balancer(random),
  candidate: (index) => ({ name: `server ${index}` }),
  request: Number,
  health: {
    eject: (balancer, server) => balancer.eject(server),
    readmit: (balancer, server) => balancer.readmit(server),
  },
})

balancerCompliance(subject('drawing', Drawing)).register({ describe, test })
balancerCompliance(weighing('weighing', Weighing)).register({ describe, test })
balancerCompliance(hashing('hashing', Hashing)).register({ describe, test })
balancerCompliance(judging('judging', Judging)).register({ describe, test })

describe('the suite of balancers', () => {
  test.each(Object.entries(brokenBalancers))('catches a balancer that %s', async (name, { found, broken }) => {
    const suite = balancerCompliance({ ...subject(name, broken), seeds: 1 })
    expect(await suite.run((one) => one.startsWith(found))).toHaveLength(1)
  })

  test.each(Object.entries(brokenWeights))('catches weights of one that %s', async (name, { found, broken }) => {
    const suite = balancerCompliance({ ...weighing(name, broken), seeds: 1 })
    expect(await suite.run((one) => one.startsWith(found))).toHaveLength(1)
  })

  test.each(Object.entries(brokenHashing))('catches a hash that %s', async (name, { found, broken }) => {
    const suite = balancerCompliance({ ...hashing(name, broken), seeds: 1 })
    expect(await suite.run((one) => one.startsWith(found))).toHaveLength(1)
  })

  test.each(Object.entries(brokenHealth))('catches a judge that %s', async (name, { found, broken }) => {
    const suite = balancerCompliance({ ...judging(name, broken), seeds: 1 })
    expect(await suite.run((one) => one.startsWith(found))).toHaveLength(1)
  })

  test('lets no more than one right balancer in a million fail', () => {
    // Exact quantiles of the chi-square distribution at 1 - 1e-6.
    const exact = [
      [2, 27.631],
      [5, 35.888],
      [6, 38.258],
      [10, 46.863],
      [50, 112.608],
    ] as const
    for (const [freedom, quantile] of exact) {
      expect(criticalValue(freedom)).toBeGreaterThan(quantile)
      expect(criticalValue(freedom)).toBeLessThan(quantile * 1.1)
    }
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
    expect(suite.report()).toMatch(/^the balancer first: 0 passed, 0 failed, 13 skipped, 8 not run; seed 1 /)
    expect(suite.report()).toContain('the balancer learns nothing from results: it has no settled')
    for (const trait of ['shares', 'weights', 'keys', 'health']) expect(suite.report()).toContain(`\`${trait}\``)
  })
})
