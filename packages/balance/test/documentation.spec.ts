import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseWorkload, presetNames, presets, simulate } from '../src/simulate/index.ts'

const page = await readFile(join(import.meta.dirname, '../../../docs/balancing.md'), 'utf8')

const figure = (millis: number): string =>
  millis >= 100 ? Math.round(millis).toLocaleString('en-US') : millis.toFixed(0)

test('the figures of docs/balancing.md are those of the simulation', () => {
  const results = presetNames.map((name) => simulate(presets[name], { seed: 1 }))
  const rows = Object.keys(results[0]?.strategies ?? {}).map((strategy) => {
    const cells = results.map(({ strategies, requests }) => {
      const { latencyMillis, errors = 0 } = strategies[strategy] ?? {}
      const lost = errors === 0 ? '' : ` (${((100 * errors) / requests).toFixed(1)} %)`
      return `${figure(latencyMillis?.p99 ?? 0)}${lost}`
    })
    return `| \`${strategy}\` | ${cells.join(' | ')} |`
  })
  expect(rows).toHaveLength(11)
  for (const row of rows) expect(page).toContain(row)
})

test('the workload of docs/balancing.md is one', () => {
  const [, json = ''] = /```json\n(.*?)```/s.exec(page) ?? []
  expect(parseWorkload(JSON.parse(json)).name).toBe('mine')
})
