import type { Supports } from '@conclave/interface'
import { expect, test } from 'vitest'
import { Campaign } from '../src/campaign.ts'
import type { RunResult } from '../src/run.ts'

const result = (seed: number, supports: Supports, violated = false): RunResult => ({
  seed,
  digest: `d${seed}`,
  ...(violated && { violation: { invariant: 'agreement', what: 'two values', at: 1 } }),
  trace: { nodes: [], clients: 0, events: [] },
  counts: {
    invoked: 10,
    completed: 9,
    faults: { crash: seed },
    elections: 1,
    decided: 5,
    restarts: 1,
    snapshots: 0,
    messages: 100,
    events: 200,
    unjudged: 0,
  },
  marks: new Map([['snapshot installed', 1]]),
  simulatedMillis: 2_000,
  history: [],
  supports,
})

const newest: Supports = {
  snapshots: true,
  reads: true,
  membership: true,
  learners: true,
  transfer: true,
  leases: true,
}
const older: Supports = {
  snapshots: true,
  reads: true,
  membership: false,
  learners: false,
  transfer: false,
  leases: false,
}
const parts = { engine: { name: 'none', contract: 1, create: () => expect.unreachable() } } as const

test('runs that end in another order give the same summary', () => {
  const runs = [result(1, older, true), result(2, newest), result(3, newest, true)]
  const [forth, back] = [new Campaign(parts), new Campaign(parts)]
  for (const run of runs) forth.add(run)
  for (const run of runs.toReversed()) back.add(run)
  expect(back.summary()).toEqual(forth.summary())
  expect(forth.summary().failures.map(({ seed }) => seed)).toEqual([1, 3])
  expect(forth.summary()).toMatchObject({ runs: 3, invoked: 30, completed: 27, faults: { crash: 6 } })
})

test('a mark is within reach when any run could have reached it', () => {
  const campaign = new Campaign(parts)
  campaign.add(result(1, older))
  expect(campaign.summary().outOfReach.get('lease read served')).toBe('leases')
  campaign.add(result(2, newest))
  expect(campaign.summary().outOfReach.has('lease read served')).toBe(false)
  expect(campaign.summary().missing).toContain('lease read served')
  expect(campaign.summary().outOfReach.get('quorum of mixed versions')).toBe('previous-engine')
})
