import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Comparison, disturbances, type EngineFigures, failovers, summarize } from '@conclave/simulator'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { pageOf } from '../src/compare/page/page.ts'
import { linear, logarithmic, plotOf } from '../src/compare/page/plots.ts'
import {
  type CompareFlags,
  commandFor,
  parseEngines,
  parseLatency,
  parseLoss,
  parseNodes,
  requestFrom,
} from '../src/compare/request.ts'
import { figure, percent, withUnit } from '../src/compare/rows.ts'
import { labelsOf, runComparison } from '../src/compare/run.ts'
import { compare } from '../src/compare/session.ts'
import { tableOf } from '../src/compare/table.ts'
import { partsOf } from '../src/simulate/parts.ts'
import { run, start } from './e2e/cli.ts'
import { unbalanced } from './unbalanced.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'conclave-compare-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const flags: CompareFlags = {
  engines: 'raft,paxos',
  nodes: '3',
  latency: '0.5ms',
  loss: '0%',
  clients: 16,
  'value-bytes': 256,
  faults: 'all',
  seed: 1,
  seeds: 100,
}

const spread = (median: number) => ({ least: median / 2, median, p99: 2 * median, most: 3 * median })
const load = {
  messagesPerCommand: 4.6,
  bytesPerCommand: 788.4,
  syncsPerCommand: 3,
  commandsPerEntry: 1.312,
  messagesPerEntry: 4.6,
  commandsPerSecond: 6_535.2,
  latencyMillis: spread(2.35),
}

const healthy: EngineFigures = {
  delays: { decided: 2, answered: 4, everywhereMillis: 5, readDecided: 2, readAnswered: 4 },
  idle: { messagesPerSecond: 80, bytesPerSecond: 1_760, syncsPerSecond: 0 },
  alone: load,
  loaded: load,
  failovers: Object.fromEntries(
    failovers.map((name) => [name, { runs: 20, missed: 0, electedMillis: spread(31), decidedMillis: spread(34.12) }]),
  ),
  faults: Object.fromEntries(
    disturbances.map(({ name }) => [
      name,
      { runs: 1, served: 0.9096, servedLeast: 0.85, gapMillis: spread(349), successions: 1 },
    ]),
  ),
}

const lame: EngineFigures = {
  delays: { decided: 3, answered: 5, everywhereMillis: 1.5 },
  idle: null,
  alone: null,
  loaded: null,
  failovers: Object.fromEntries(failovers.map((name) => [name, { runs: 20, missed: 20 }])),
  faults: Object.fromEntries(
    disturbances.map(({ name, needs }) => [name, needs === undefined ? null : ('unsupported' as const)]),
  ),
}

const made: Comparison = {
  ...summarize({ ...requestFrom(flags), seeds: 20 }, []),
  engines: ['raft', 'lame <&>'],
  sizes: [{ nodes: 3, figures: { raft: healthy, 'lame <&>': lame } }],
}

describe('what is asked for', () => {
  test('becomes a request, and the command that asks for it again', () => {
    const request = requestFrom({ ...flags, nodes: '3, 5', latency: '200us', loss: '1.5%' })
    expect(request).toEqual({
      nodes: [3, 5],
      latencyMillis: 0.2,
      loss: 0.015,
      clients: 16,
      valueBytes: 256,
      faults: 'all',
      seed: 1,
      seeds: 100,
    })
    expect(commandFor(['raft', './mine'], request)).toBe(
      'conclave compare --engines raft,./mine --nodes 3,5 --latency 0.2ms --loss 1.5% --clients 16 --value-bytes 256 --seed 1 --seeds 100',
    )
  })

  test('may leave faults out', () => {
    const command = (faults: string): string => commandFor(['raft'], requestFrom({ ...flags, faults }))
    expect(command('none')).toContain('--faults none --seed 1')
    expect(command('crash,reset')).toContain('--faults crash,reset --seed 1')
    expect(() => command('meteor')).toThrow('"meteor"')
  })

  test.each(['', '2', '3,3', '10', '3;5', '3.5', 'three', '-3', '3,'])('no sizes of clusters: "%s"', (text) => {
    expect(() => parseNodes(text)).toThrow('no list of cluster sizes')
  })
  test.each(['', '5', '0ms', '51ms', '1s', '-1ms', 'fast', '1us'])('no delay: "%s"', (text) => {
    expect(() => parseLatency(text)).toThrow('no one-way delay')
  })
  test.each(['', '1', '0.01', '31%', '-1%', '%', '100%'])('no loss: "%s"', (text) => {
    expect(() => parseLoss(text)).toThrow('no part of all messages')
  })
  test.each(['', 'raft,', 'raft,raft', ' , '])('no engines: "%s"', (text) => {
    expect(() => parseEngines(text)).toThrow('no list of engines')
  })
})

describe('figures in words', () => {
  test('have about three digits, and a unit', () => {
    expect([0, 2, 2.998, 2.346, 4.6, 12.34, 99.96, 788.4, 6_535.2].map(figure)).toEqual([
      '0',
      '2',
      '3',
      '2.35',
      '4.60',
      '12.3',
      '100',
      '788',
      '6,535',
    ])
    expect(withUnit(2.346, 'ms')).toBe('2.35 ms')
    expect(withUnit(undefined, 'bytes')).toBe('–')
  })

  test('what is not all is not told as all', () => {
    expect([0, 0.5, 0.9096, 0.99999, 1].map(percent)).toEqual(['0 %', '50 %', '91 %', '99.9 %', '100 %'])
  })
})

test('the table tells everything, and a dash or words where there is nothing', () => {
  expect(tableOf(made)).toMatchSnapshot()
})

test('faults that nobody asked for are in no table and on no page', () => {
  const calm: Comparison = { ...made, request: { ...made.request, faults: [] } }
  expect(tableOf(calm)).not.toContain('longest gap')
  expect(pageOf(calm, { command: '', version: '' })).not.toContain('Service under faults')
  const one: Comparison = { ...made, request: { ...made.request, faults: ['reset'] } }
  expect(tableOf(one)).toMatch(/longest gap.*\n.*\n {2}reset .*91 %/)
})

describe('the page', () => {
  const page = pageOf(made, { command: 'conclave compare --engines raft,./<lame>', version: '1.2.3' })

  test('is well-formed, and names what cannot be shown by its escape', () => {
    expect(unbalanced(page)).toEqual([])
    expect(unbalanced('<p><b></p></b>')).toEqual(['</p>'])
    expect(page).toContain('lame &lt;&amp;&gt;')
    expect(page).not.toMatch(/NaN|undefined|Infinity|\[object/)
  })

  test('needs nothing else: no script, no address, no file', () => {
    expect(page).not.toMatch(/https?:|<script|<link|<img|src=|href=|url\(|@import/)
  })

  test('tells each figure in words too, for those who cannot see it', () => {
    expect(page).toContain('aria-label="messages per command: raft 4.60, lame &lt;&amp;&gt; –"')
    expect(page).toContain('raft 34.1 / 68.2 ms')
    for (const { name, about } of disturbances) {
      expect(page).toContain(name)
      expect(page).toContain(about)
    }
  })

  test('gives the command and the version, and is the same for the same comparison', () => {
    expect(page).toContain('<code>conclave compare --engines raft,./&lt;lame&gt;</code>')
    expect(page).toContain('Conclave 1.2.3.')
    expect(pageOf(made, { command: 'conclave compare --engines raft,./<lame>', version: '1.2.3' })).toBe(page)
  })

  test('says which engine is wrong', () => {
    const violation = {
      engine: 'lame',
      nodes: 3,
      seed: 7,
      scenario: 'reset',
      invariant: 'agreement',
      what: 'two values',
    }
    const wrong = pageOf({ ...made, violations: [violation] }, { command: '', version: '' })
    expect(wrong).toContain('lame is wrong: agreement, with 3 nodes, seed 7, reset: two values.')
  })
})

describe('a plot', () => {
  test('draws a bar as long as its value, and a mark where its value is', () => {
    const line = { engine: 'raft', at: 0, value: 5, words: '5' }
    const bars = plotOf({ title: 'x', scale: linear(10), mark: 'bar', lines: [line, { ...line, value: 10 }] })
    const [half, whole] = [...bars.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width))
    expect(half).toBeCloseTo((whole ?? 0) / 2, 0)
    const at = (value: number): number => {
      const dots = plotOf({ title: 'x', scale: logarithmic(10, 1_000), mark: 'dot', lines: [{ ...line, value }] })
      return Number(/cx="([\d.]+)"/.exec(dots)?.[1])
    }
    expect(at(100) - at(10)).toBeCloseTo(at(1_000) - at(100), 0)
    expect([at(1), at(5_000)]).toEqual([at(10), at(1_000)])
  })

  test('draws nothing for an engine without a figure, but its name', () => {
    const none = plotOf({
      title: 'x',
      scale: linear(1),
      mark: 'dot',
      lines: [{ engine: 'an-engine-with-a-long-name', at: 0, value: undefined, words: '–' }],
    })
    expect(none).not.toContain('circle')
    expect(none).toContain('an-engin…')
  })
})

test('engines go by their own names, unless two have the same', async () => {
  const [raft, paxos] = [await partsOf('raft'), await partsOf('paxos')]
  const contenders = [
    { asked: './mine', place: '/mine', parts: raft },
    { asked: 'paxos', place: 'paxos', parts: paxos },
  ]
  expect(labelsOf(contenders)).toEqual(['raft', 'paxos'])
  expect(labelsOf([...contenders, { asked: 'raft', place: 'raft', parts: raft }])).toEqual(['./mine', 'paxos', 'raft'])
})

test('a comparison that is stopped has no figures', async () => {
  const contenders = [{ asked: 'raft', place: 'raft', parts: await partsOf('raft') }]
  let asked = 0
  const shouldStop = (): boolean => ++asked > 2
  const control = { jobs: 1, stream: process.stderr, shouldStop }
  expect(await runComparison({ ...requestFrom(flags), seeds: 1 }, contenders, control)).toBeUndefined()
  expect(asked).toBe(3)
})

test('a file that cannot be written is told before anything is measured', async () => {
  const html = join(directory, 'none', 'page.html')
  await expect(
    compare({ flags: { ...flags, html, seeds: 10_000 }, version: '1.2.3', say: () => {} }),
  ).rejects.toMatchObject({ code: 'no-page', exit: 2 })
})

describe('conclave compare', { timeout: 120_000 }, () => {
  test('gives a table, JSON and a page: the same figures with one thread and with two, byte for byte', async () => {
    const asked = ['compare', '--engines', 'raft', '--seeds', '1', '--clients', '4', '--faults', 'reset']
    const [text, json] = await Promise.all([
      run(directory, [...asked, '--jobs', '2', '--html', 'page.html']),
      run(directory, [...asked, '--jobs', '1', '--json']),
    ])
    expect([text.code, json.code]).toEqual([0, 0])
    expect([text.stderr, json.stderr]).toEqual(['', ''])

    const comparison = JSON.parse(json.stdout)
    expect(comparison).toMatchObject({
      version: 1,
      engines: ['raft'],
      request: { nodes: [3], latencyMillis: 0.5, loss: 0, clients: 4, valueBytes: 256, seed: 1, seeds: 1 },
      given: { heartbeatMillis: 50, electionMillis: 300, servedMillis: 100, faultSeeds: 1 },
      violations: [],
      command: expect.stringContaining('--engines raft --nodes 3'),
      conclave: expect.stringMatching(/^\d+\.\d+\.\d+/),
    })
    const [{ nodes, figures }] = comparison.sizes
    expect(nodes).toBe(3)
    expect(Object.keys(figures.raft)).toEqual(Object.keys(healthy))
    expect(Object.keys(figures.raft.faults)).toEqual(['reset'])
    expect(Object.keys(figures.raft.alone)).toEqual(Object.keys(load))
    expect(figures.raft.delays).toMatchObject({ decided: 2, answered: 4 })

    expect(text.stdout).toBe(
      `raft: 9 runs in 2 threads\n${tableOf(comparison)}\n\nagain: ${comparison.command}\npage:  page.html\n`,
    )
    expect(readFileSync(join(directory, 'page.html'), 'utf8')).toBe(
      pageOf(comparison, { command: comparison.command, version: comparison.conclave }),
    )
  })

  test('takes an engine from elsewhere, also in threads; the same engine has the same figures', async () => {
    const raft = JSON.stringify(new URL('../../../packages/engine-raft/src/index.ts', import.meta.url).href)
    const create = '(init) => raft.create(init)'
    writeFileSync(
      join(directory, 'mine.mjs'),
      `import { raft } from ${raft}\nexport default { name: 'my-raft', contract: 1, create: ${create} }\n`,
    )
    const asked = ['--engines', 'raft,./mine.mjs', '--seeds', '1', '--clients', '2', '--faults', 'none']
    const { code, stdout } = await run(directory, ['compare', ...asked, '--jobs', '2', '--json'])
    expect(code).toBe(0)
    const { engines, sizes, command } = JSON.parse(stdout)
    expect(engines).toEqual(['raft', 'my-raft'])
    expect(sizes[0].figures['my-raft']).toEqual(sizes[0].figures.raft)
    expect(command).toContain('--engines raft,./mine.mjs ')
  })

  test('usage errors say what to do', async () => {
    const [engine, clients] = await Promise.all([
      run(directory, ['compare', '--engines', 'raft,vsr']),
      run(directory, ['compare', '--clients', '0']),
    ])
    expect([engine.code, clients.code]).toEqual([2, 2])
    expect(engine.stderr).toContain('there is no engine "vsr"')
    expect(clients.stderr).toContain('clients')
  })

  test('ends cleanly on Ctrl-C, without figures, and leaves an older page as it is', async () => {
    const page = join(directory, 'page.html')
    writeFileSync(page, 'an older one')
    const running = start(directory, [
      'compare',
      '--engines',
      'raft',
      '--seeds',
      '10000',
      '--html',
      'page.html',
      '--jobs',
      '1',
    ])
    const begun = setInterval(() => {
      if (!running.stdout().includes('runs in 1 thread')) return
      clearInterval(begun)
      running.child.kill('SIGINT')
    }, 50)
    const { code, signal, stdout } = await running.ended
    expect({ code, signal }).toEqual({ code: 130, signal: null })
    expect(stdout).toContain('interrupted: nothing was compared')
    expect(readFileSync(page, 'utf8')).toBe('an older one')
  })
})
