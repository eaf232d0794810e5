import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { strategyNames } from '../src/index.ts'

test('a pick allocates nothing while the candidates stay', { timeout: 120_000 }, async () => {
  const young = ['--min-semi-space-size=512', '--max-semi-space-size=512']
  const probe = join(import.meta.dirname, 'allocation-probe.ts')
  const args = ['--conditions=@conclave/source', ...young, probe]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 110_000 })
  const figures = JSON.parse(stdout) as [name: string, count: number, bytes: number | null][]
  const most = (name: string): number =>
    Math.max(...figures.filter(([one]) => one === name).map(([, , bytes]) => bytes ?? Number.POSITIVE_INFINITY))
  for (const name of [...strategyNames, 'decorated'])
    expect({ name, less: most(name) < 0.1 }).toEqual({ name, less: true })
  expect(most('allocating')).toBeGreaterThan(8)
})
