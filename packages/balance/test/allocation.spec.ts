import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { strategyNames } from '../src/index.ts'

/** The most bytes of a pick by this balancer in one process. */
const bytesOf = async (name: string): Promise<number> => {
  const young = ['--min-semi-space-size=512', '--max-semi-space-size=512']
  const args = ['--conditions=@conclave/source', ...young, join(import.meta.dirname, 'allocation-probe.ts'), name]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 110_000 })
  const figures = JSON.parse(stdout) as (number | null)[]
  return Math.max(...figures.map((bytes) => bytes ?? Number.POSITIVE_INFINITY))
}

/** A compiler that seldom gets its turn may keep a fraction where code that it made earlier looks for it, in about one process of twenty. What the balancer itself allocates it allocates in each. */
const leastBytesOf = async (name: string): Promise<number> => {
  let least = Number.POSITIVE_INFINITY
  for (let at = 0; at < 3 && least > 0.1; at++) least = Math.min(least, await bytesOf(name))
  return least
}

test.each([...strategyNames, 'decorated'])(
  'a pick by %s allocates nothing while the candidates stay',
  {
    timeout: 120_000,
  },
  async (name) => {
    expect(await leastBytesOf(name)).toBeLessThan(0.1)
  },
)

test('a balancer that allocates for each pick is seen to', { timeout: 120_000 }, async () => {
  expect(await leastBytesOf('allocating')).toBeGreaterThan(8)
})
