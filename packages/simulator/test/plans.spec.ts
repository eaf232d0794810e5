import { InvalidPlan, type Plan, parsePlan, planOf } from '@conclave/simulator'
import { describe, expect, test } from 'vitest'
import { seeds } from './parts.ts'

const changed = (change: (plan: Record<string, unknown>) => void): string => {
  const plan = JSON.parse(JSON.stringify(planOf(1)))
  change(plan)
  return JSON.stringify(plan)
}

describe('the plan of a seed', () => {
  test('is a pure function of the seed, and different for each', () => {
    expect(planOf(7)).toEqual(planOf(7))
    expect(new Set(seeds(0, 200).map((seed) => JSON.stringify(planOf(seed).faults))).size).toBe(200)
    expect(JSON.stringify(planOf(2 ** 40 + 1).faults)).not.toBe(JSON.stringify(planOf(1).faults))
  })

  test('has faults in order of time, all before the healing, and at most a minority that stays broken', () => {
    for (const seed of seeds(0, 300)) {
      const { faults, chaosMillis, nodes, broken, traits } = planOf(seed)
      expect(faults.every(({ at }, index) => at < chaosMillis && at >= (faults[index - 1]?.at ?? 0))).toBe(true)
      expect(new Set(faults.map(({ id }) => id)).size).toBe(faults.length)
      expect(nodes).toBeGreaterThanOrEqual(3)
      expect(nodes).toBeLessThanOrEqual(5)
      expect(traits.length).toBeGreaterThanOrEqual(nodes)
      expect(broken.nodes.length * 2).toBeLessThan(nodes)
    }
  })

  test('has leases in some seeds, and then clocks that keep within the tenth that leases rest on', () => {
    const plans = seeds(0, 300).map((seed) => planOf(seed))
    const leased = plans.filter(({ leases }) => leases)
    expect(leased.length).toBeGreaterThan(50)
    expect(leased.length).toBeLessThan(200)
    for (const { traits } of leased) {
      const rates = traits.map(({ clockRate }) => clockRate)
      expect(Math.max(...rates) / Math.min(...rates)).toBeLessThan(1.1)
    }
  })

  test('takes options, and holds them to their ranges', () => {
    const plan = planOf(3, {
      nodes: 5,
      faults: ['crash'],
      leases: true,
      durationMillis: 1_000,
      clients: 2,
      operationsEach: 9,
    })
    expect(plan).toMatchObject({ nodes: 5, leases: true, chaosMillis: 1_000, clients: 2, operationsEach: 9 })
    expect(plan.faults.length).toBeGreaterThan(0)
    expect(plan.faults.every(({ type }) => type === 'crash')).toBe(true)
    expect(() => planOf(-1)).toThrow(RangeError)
    expect(() => planOf(1, { nodes: 0 })).toThrow('nodes is an integer from 1 to 9, got 0')
    expect(() => planOf(1, { durationMillis: Number.NaN })).toThrow(RangeError)
  })
})

describe('a plan in a file', () => {
  test('is read back as it was', () => {
    for (const seed of seeds(0, 100)) expect(parsePlan(JSON.stringify(planOf(seed)))).toEqual(planOf(seed))
  })

  test('of another version, or with something amiss, is refused with the place and what belongs there', () => {
    const told = (json: string): string => {
      try {
        parsePlan(json)
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidPlan)
        return (error as Error).message
      }
      return 'accepted'
    }
    expect(told('{')).toContain('a plan is JSON')
    expect(told('[]')).toBe('the plan must be an object; it is []')
    expect(told(changed((plan) => (plan.version = 2)))).toBe('version must be 1; it is 2')
    expect(told(changed((plan) => delete plan.seed))).toContain('seed must be an integer')
    expect(told(changed((plan) => (plan.surprise = 1)))).toBe('surprise is not part of a plan of version 1')
    expect(told(changed((plan) => (plan.weather = { ...planOf(1).weather, drop: 2 })))).toBe(
      'weather.drop must be a number from 0 to 1; it is 2',
    )
    expect(told(changed((plan) => (plan.traits = [])))).toContain('traits must name each of the')
    const fault = (given: object): string => told(changed((plan) => (plan.faults = [{ id: 1, at: 0, ...given }])))
    expect(fault({ type: 'flood' })).toContain('faults[0].type must be one of crash, ')
    expect(fault({ type: 'toString' })).toContain('faults[0].type must be one of')
    expect(fault({ type: 'transfer' })).toContain('faults[0].to must be an integer from 1 to 32; it is missing')
    expect(fault({ type: 'remove', node: 'leader' })).toBe('accepted')
    expect(fault({ type: 'remove', node: 'boss' })).toContain('faults[0].node')
    const twice = [1, 1].map((id) => ({ type: 'remove', node: 1, id, at: 0 }))
    expect(told(changed((plan) => (plan.faults = twice)))).toBe('two faults have the same id')
    const backwards = [9, 3].map((at) => ({ type: 'remove', node: 1, id: at, at }))
    expect(told(changed((plan) => (plan.faults = backwards)))).toContain('faults[1].at must not lie before')
  })

  test('may be edited: a hand-made plan without faults runs', () => {
    const plan: Plan = { ...planOf(1), faults: [], broken: { nodes: [], links: [] } }
    expect(parsePlan(JSON.stringify(plan))).toEqual(plan)
  })
})
