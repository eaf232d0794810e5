import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { strategyNames } from '../src/index.ts'

/** The most bytes of a pick by this balancer. */
const bytesOf = async (name: string): Promise<number> => {
  const young = ['--min-semi-space-size=512', '--max-semi-space-size=512']
  const args = ['--conditions=@conclave/source', ...young, join(import.meta.dirname, 'allocation-probe.ts'), name]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 110_000 })
  const figures = JSON.parse(stdout) as (number | null)[]
  return Math.max(...figures.map((bytes) => bytes ?? Number.POSITIVE_INFINITY))
}

test.each([...strategyNames, 'decorated'])(
  'a pick by %s allocates nothing while the candidates stay',
  {
    timeout: 120_000,
  },
  async (name) => {
    expect(await bytesOf(name)).toBeLessThan(0.1)
  },
)

test('a balancer that allocates for each pick is seen to', { timeout: 120_000 }, async () => {
  expect(await bytesOf('allocating')).toBeGreaterThan(8)
})
