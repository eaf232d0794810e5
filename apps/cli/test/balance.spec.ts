import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { strategyNames } from '@conclave/balance'
import { presets, simulate } from '@conclave/balance/simulate'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { courseOf } from '../src/balance/course.ts'
import { pageOf } from '../src/balance/page.ts'
import { parseStrategies, workloadOf } from '../src/balance/request.ts'
import { simulateBalancing } from '../src/balance/session.ts'
import { tableOf } from '../src/balance/table.ts'
import { run } from './e2e/cli.ts'
import { unbalanced } from './unbalanced.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'conclave-balance-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const short = (preset: keyof typeof presets) => ({ ...presets[preset], durationMillis: 12_000, requestsPerSecond: 400 })
const about = { command: 'conclave balance simulate --workload ./<mine>.json', version: '1.2.3' }

describe('what is asked for', () => {
  test('strategies by name, or all', () => {
    expect(parseStrategies('all')).toEqual(strategyNames)
    expect(parseStrategies('p2c, maglev')).toEqual(['p2c', 'maglev'])
  })

  test.each(['', 'p2c,', 'p2c,p2c', 'fastest', 'all,p2c'])('no list of strategies: "%s"', (text) => {
    expect(() => parseStrategies(text)).toThrow('is no list of strategies')
  })

  test('a workload by the name of a preset, or from a file', () => {
    expect(workloadOf('churn')).toBe(presets.churn)
    const file = join(directory, 'mine.json')
    writeFileSync(file, JSON.stringify(presets['one-slow']))
    expect(workloadOf(file)).toEqual(presets['one-slow'])
  })

  test('a file that is no workload is refused with the path of the field', () => {
    const file = join(directory, 'mine.json')
    writeFileSync(file, JSON.stringify({ ...presets.churn, servers: [{ name: 'a' }] }))
    expect(() => workloadOf(file)).toThrow(`${file}: servers[0].concurrency: a whole number`)
    writeFileSync(file, '{')
    expect(() => workloadOf(file)).toThrow('no workload can be read from it')
    expect(() => workloadOf(join(directory, 'none'))).toThrow('is no preset')
  })
})

describe('the table and the page', () => {
  const result = simulate(short('churn'), { strategies: ['random', 'p2c', 'maglev'] })

  test('the table has a line for each strategy, and a dash where there is nothing', () => {
    const lines = tableOf(result).split('\n')
    expect(lines[0]).toMatch(/^churn: 4,\d{3} requests in 12 s, 11 servers, 3 balancers, seed 1$/)
    expect(lines[1]).toMatch(/^strategy +p50 ms +p90 +p99 +p99\.9 +errors +imbalance +keys moved \(had to\)$/)
    expect(lines.slice(2).map((line) => line.split(' ')[0])).toEqual(['random', 'p2c', 'maglev'])
    expect(lines[2]).toMatch(/–$/)
    expect(lines[4]).toMatch(/\d % \([\d.]+ %\)$/)
  })

  test('a strategy none of whose requests ended well has errors and dashes', () => {
    const { servers } = short('uniform')
    const failing = servers.map((one) => ({
      ...one,
      episodes: [{ fromMillis: 0, toMillis: 60_000, slowdown: 1, errorRate: 1 }],
    }))
    const lost = simulate({ ...short('uniform'), servers: failing }, { strategies: ['random'] })
    expect(tableOf(lost)).toMatch(/random +– +– +– +– +4,\d{3} \(100 %\)/)
    const page = pageOf(lost, about)
    expect(unbalanced(page)).toEqual([])
    expect(page).not.toMatch(/NaN|undefined|Infinity|\[object/)
  })

  test('the page is well-formed, needs nothing else, and is the same for the same result', () => {
    const page = pageOf(result, about)
    expect(unbalanced(page)).toEqual([])
    expect(page).not.toMatch(/NaN|undefined|Infinity|\[object/)
    expect(page).not.toMatch(/https?:|<script|<link|<img|src=|href=|url\(|@import/)
    expect(page).toContain('<code>conclave balance simulate --workload ./&lt;mine&gt;.json</code>')
    expect(page).toContain('aria-label="Errors: random 0, p2c 0, maglev 0"')
    expect(page).toContain('Keys moved')
    expect(pageOf(result, about)).toBe(page)
    expect(pageOf(simulate(short('uniform'), { strategies: ['p2c'] }), about)).not.toContain('Keys moved')
  })

  test('a course is higher where requests take longer, and has a gap where there is no figure', () => {
    const slice = (fromMillis: number, p99: number | null, errors = 0) => ({
      fromMillis,
      requests: 10,
      errors,
      p50: p99,
      p99,
      imbalance: 1,
    })
    const series = [slice(0, 10), slice(1, 100), slice(2, null, 10), slice(3, 1000)]
    const svg = courseOf({ name: 'p2c', at: 0, series, durationMillis: 4, range: [10, 1000] })
    const [, , strong = ''] = [...svg.matchAll(/ d="([^"]*)"/g)].map(([, d]) => d).flatMap((d) => ['', '', d ?? ''])
    const heights = [...strong.matchAll(/[ML][\d.]+ ([\d.]+)/g)].map(([, y]) => Number(y))
    expect(strong.match(/M/g)).toHaveLength(2)
    expect((heights[0] ?? 0) - (heights[1] ?? 0)).toBeCloseTo((heights[1] ?? 0) - (heights[2] ?? 0))
    expect(svg.match(/class="wrong-bar"/g)).toHaveLength(1)
  })
})

test('a page that cannot be written is told before anything is simulated', () => {
  const said: string[] = []
  const flags = { strategy: 'all', workload: 'uniform', seed: 1, html: join(directory, 'none', 'page.html') }
  expect(() => simulateBalancing({ flags, version: '1', say: (text) => said.push(text) })).toThrow('cannot be written')
  expect(said).toEqual([])
})

describe('conclave balance simulate', { timeout: 120_000 }, () => {
  test('gives a table, JSON and a page of the same figures; a seed gives them again', async () => {
    writeFileSync(join(directory, 'mine.json'), JSON.stringify(short('churn')))
    const asked = ['balance', 'simulate', '--strategy', 'p2c,ring-hash', '--workload', 'mine.json', '--seed', '7']
    const [text, json] = await Promise.all([
      run(directory, [...asked, '--html', 'page.html']),
      run(directory, [...asked, '--json']),
    ])
    expect([text.code, json.code, text.stderr, json.stderr]).toEqual([0, 0, '', ''])
    const { command, conclave, ...result } = JSON.parse(json.stdout)
    expect(result).toEqual(simulate(short('churn'), { seed: 7, strategies: ['p2c', 'ring-hash'] }))
    expect(command).toBe('conclave balance simulate --strategy p2c,ring-hash --workload mine.json --seed 7')
    expect(text.stdout).toBe(`${tableOf(result)}\n\nagain: ${command}\npage:  page.html\n`)
    expect(readFileSync(join(directory, 'page.html'), 'utf8')).toBe(pageOf(result, { command, version: conclave }))
  })

  test('usage errors say what to do, with exit code 2', async () => {
    const [strategy, workload, seed, json] = await Promise.all([
      run(directory, ['balance', 'simulate', '--strategy', 'fastest']),
      run(directory, ['balance', 'simulate', '--workload', 'calm']),
      run(directory, ['balance', 'simulate', '--seed', '-1']),
      run(directory, ['balance', 'simulate', '--workload', 'calm', '--json']),
    ])
    expect([strategy.code, workload.code, seed.code, json.code]).toEqual([2, 2, 2, 2])
    expect(strategy.stderr).toContain('Write "all", or names, each once')
    expect(workload.stderr).toContain('Presets: uniform, heterogeneous')
    expect(JSON.parse(json.stdout).error).toMatchObject({ code: 'no-workload', exit: 2 })
  })
})
