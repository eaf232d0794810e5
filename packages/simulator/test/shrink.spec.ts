import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Fault, FaultAction, Plan } from '../src/plan.ts'
import { ddmin } from '../src/shrink/ddmin.ts'
import { downTo } from '../src/shrink/simpler.ts'
import { withoutNode } from '../src/shrink/without-node.ts'
import { PlanDoesNotFail, shrink } from '../src/shrink.ts'

const fault = (id: number, action: FaultAction): Fault => ({ ...action, id, at: id * 100 })

const traits = { clockRate: 1.05, upgradeAtLife: 1, drainMillis: 3, persistedMillis: 2, diskMillis: 9 }

const planOf = (faults: readonly Fault[], change: Partial<Plan> = {}): Plan => ({
  version: 1,
  seed: 7,
  nodes: 5,
  clients: 4,
  operationsEach: 50,
  leases: false,
  weather: { drop: 0.1, duplicate: 0.1, reorder: 0.1, delay: { least: 1, most: 40 } },
  traits: Array.from({ length: 6 }, () => traits),
  messageBytes: 1_024,
  faults,
  chaosMillis: 20_000,
  broken: { nodes: [5], links: [{ from: 1, to: 2 }] },
  patienceMillis: 5_000,
  ...change,
})

const crowd: Fault[] = [
  fault(1, { type: 'crash', node: 2, kind: 'power', downMillis: 400 }),
  fault(2, {
    type: 'partition',
    groups: [
      [1, 2],
      [3, 4, 5],
    ],
    millis: 900,
  }),
  fault(3, { type: 'isolate', node: 'leader', millis: 700 }),
  fault(4, { type: 'one-way', from: 1, to: 4, millis: 300 }),
  fault(5, { type: 'reset', a: 4, b: 2 }),
  fault(6, {
    type: 'weather',
    weather: { drop: 0.5, duplicate: 0, reorder: 0, delay: { least: 1, most: 9 } },
    millis: 5,
  }),
  fault(7, { type: 'restart-storm', times: 5, kind: 'kill', everyMillis: 100 }),
  fault(8, { type: 'add', node: 6, role: 'learner' }),
  fault(9, { type: 'transfer', to: 4 }),
  fault(10, { type: 'disk-lost', node: 3 }),
  fault(11, { type: 'coup', on: 'election', afterMillis: 0, millis: 500, kind: 'kill' }),
]

test('everything that the failure does not need is left out', async () => {
  const needs = async (plan: Plan): Promise<boolean> =>
    plan.faults.some(({ id }) => id === 3) && plan.faults.some(({ id }) => id === 7) && plan.nodes >= 3
  const { plan, runs } = await shrink(planOf(crowd), needs)
  expect(plan.faults).toEqual([
    { ...crowd[2], millis: 10 },
    { ...crowd[6], times: 1, everyMillis: 10 },
  ])
  expect(plan).toMatchObject({
    nodes: 3,
    clients: 1,
    operationsEach: 1,
    messageBytes: 8_192,
    chaosMillis: 701,
    patienceMillis: 5_000,
  })
  expect(plan.weather).toEqual({ drop: 0, duplicate: 0, reorder: 0, delay: { least: 1, most: 1 } })
  expect(plan.traits).toHaveLength(3)
  expect(plan.traits[0]).toMatchObject({ clockRate: 1, drainMillis: 0, persistedMillis: 0, diskMillis: 0 })
  expect(plan.broken).toEqual({ nodes: [], links: [] })
  expect(runs).toBeLessThan(200)
})

test('what the failure needs stays, to the number', async () => {
  const needs = async (plan: Plan): Promise<boolean> =>
    plan.clients >= 3 &&
    plan.operationsEach >= 17 &&
    plan.weather.drop > 0 &&
    plan.traits.some(({ clockRate }) => clockRate !== 1) &&
    plan.faults.some((one) => one.type === 'isolate' && one.millis >= 333)
  const { plan } = await shrink(planOf(crowd), needs)
  expect(plan).toMatchObject({ clients: 3, operationsEach: 17, weather: { drop: 0.1, duplicate: 0 } })
  expect(plan.faults).toHaveLength(1)
  expect(await needs(plan)).toBe(true)
})

test('the same plan shrinks in the same way, run by run', async () => {
  const tried: string[][] = [[], []]
  const results = await Promise.all(
    tried.map((log) =>
      shrink(planOf(crowd), async (plan) => {
        log.push(JSON.stringify(plan))
        return plan.faults.length >= 2 && plan.clients >= 2
      }),
    ),
  )
  expect(results[0]).toEqual(results[1])
  expect(tried[0]).toEqual(tried[1])
  expect(new Set(tried[0]).size).toBe(tried[0]?.length)
})

test('a failure that a smaller plan shows only under another seed is found there', async () => {
  const needs = async (plan: Plan): Promise<boolean> =>
    plan.faults.some(({ id }) => id === 3) && (plan.faults.length === crowd.length || plan.seed % 3 === 0)
  const bound = await shrink(planOf(crowd), needs, { variants: 0 })
  expect(bound.plan).toMatchObject({ seed: 7, faults: { length: crowd.length } })
  const free = await shrink(planOf(crowd), needs)
  expect(free.plan.faults).toHaveLength(1)
  expect(free.plan.seed % 3).toBe(0)
  expect(await needs(free.plan)).toBe(true)
})

test('it ends at the bound on runs with a plan that failed, and tells how far it is', async () => {
  const told: number[] = []
  const failed = new Set<string>()
  const fails = async (plan: Plan): Promise<boolean> => {
    if (plan.faults.length < 2) return false
    failed.add(JSON.stringify(plan))
    return true
  }
  const { plan, runs } = await shrink(planOf(crowd), fails, { maxRuns: 9, onProgress: (now) => told.push(now.runs) })
  expect(runs).toBe(9)
  expect(told).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
  expect(failed.has(JSON.stringify(plan))).toBe(true)
})

test('a plan that does not fail is refused', async () => {
  await expect(shrink(planOf(crowd), async () => false)).rejects.toThrow(PlanDoesNotFail)
})

test('ddmin finds a part without anything superfluous', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 30 }),
      fc.uniqueArray(fc.nat({ max: 29 }), { maxLength: 5 }),
      async (length, needed) => {
        const needs = needed.filter((item) => item < length)
        const items = Array.from({ length }, (_, item) => item)
        const least = await ddmin(items, async (part) => needs.every((item) => part.includes(item)))
        expect(least).toEqual(needs.sort((a, b) => a - b))
      },
    ),
  )
})

test('of a failure that is not monotonic no single fault can be left out', async () => {
  // Fails with an odd number of faults only, or with the second and the fifth.
  const fails = async (part: readonly number[]): Promise<boolean> =>
    (part.length % 2 === 1 && part.length >= 3) || (part.includes(2) && part.includes(5))
  const least = await ddmin([1, 2, 3, 4, 5, 6, 7], fails)
  expect(await fails(least)).toBe(true)
  for (const out of least) expect(await fails(least.filter((item) => item !== out))).toBe(false)
})

test('without a node the others move up, and what named it is gone', () => {
  const plan = withoutNode(planOf(crowd), 4)
  expect(plan).toMatchObject({ nodes: 4, broken: { nodes: [4], links: [{ from: 1, to: 2 }] } })
  expect(plan?.traits).toHaveLength(5)
  expect(plan?.faults.map(({ id }) => id)).toEqual([1, 2, 3, 6, 7, 8, 10, 11])
  expect(plan?.faults[1]).toMatchObject({
    groups: [
      [1, 2],
      [3, 4],
    ],
  })
  expect(plan?.faults.find(({ id }) => id === 8)).toMatchObject({ node: 5 })
})

test('a spare can go without changing who founds; the last founder, and a healthy majority, cannot', () => {
  expect(withoutNode(planOf(crowd), 6)).toMatchObject({ nodes: 5 })
  expect(withoutNode(planOf([], { nodes: 1, broken: { nodes: [], links: [] } }), 1)).toBeUndefined()
  expect(withoutNode(planOf([], { nodes: 3, broken: { nodes: [3], links: [] } }), 1)).toBeUndefined()
})

test('a partition that has one side left is none', () => {
  const alone = fault(1, { type: 'partition', groups: [[4], [1, 2]], millis: 5 })
  expect(withoutNode(planOf([alone]), 4)?.faults).toEqual([])
})

test('steps go from the least towards the value, and end', () => {
  expect(downTo(1, 1)).toEqual([])
  expect(downTo(1, 8)).toEqual([1, 5, 7])
  fc.assert(
    fc.property(fc.nat(1000), fc.nat(100_000), (least, value) => {
      const steps = downTo(least, value)
      expect(
        steps.every((step, at) => step >= least && step < value && (at === 0 || step > (steps[at - 1] ?? 0))),
      ).toBe(true)
      expect(steps.length > 0).toBe(value > least)
    }),
  )
})
