import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { strategyNames } from '../src/index.ts'

/** The most bytes of a pick, by the name of the balancer. */
const probe = async (which: 'plain' | 'decorated'): Promise<ReadonlyMap<string, number>> => {
  const young = ['--min-semi-space-size=512', '--max-semi-space-size=512']
  const args = ['--conditions=@conclave/source', ...young, join(import.meta.dirname, 'allocation-probe.ts'), which]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 110_000 })
  const most = new Map<string, number>()
  for (const [name, , bytes] of JSON.parse(stdout) as [name: string, count: number, bytes: number | null][])
    most.set(name, Math.max(most.get(name) ?? 0, bytes ?? Number.POSITIVE_INFINITY))
  return most
}

test('a pick allocates nothing while the candidates stay', { timeout: 120_000 }, async () => {
  const most = await probe('plain')
  expect(strategyNames.filter((name) => !((most.get(name) ?? Number.NaN) < 0.1))).toEqual([])
  expect(most.get('allocating')).toBeGreaterThan(8)
})

// A process of their own: what ran before changes what the compiler makes of them, and a fraction that crosses a call is allocated unless it is inlined.
test('nor do decorators', { timeout: 120_000 }, async () => {
  expect((await probe('decorated')).get('decorated')).toBeLessThan(0.1)
})
