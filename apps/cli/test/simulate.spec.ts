import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { engineNames } from '@conclave/node/engines'
import { faultTypes, type Parts, parsePlan, planOf, run as runPlan } from '@conclave/simulator'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { failsLike, investigate, writePlan } from '../src/simulate/investigate.ts'
import { partsOf } from '../src/simulate/parts.ts'
import { campaignLine } from '../src/simulate/progress.ts'
import { commandFor, parseDuration, parseFaults, requestFrom } from '../src/simulate/request.ts'
import { runCampaign } from '../src/simulate/run-campaign.ts'
import { type SeedRunner, slim } from '../src/simulate/runner.ts'
import { replay, simulate } from '../src/simulate/session.ts'
import { runAll } from '../src/threads.ts'
import { run, start } from './e2e/cli.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'conclave-simulate-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** A disk that says that groups are synced, and forgets them. */
const forgetful = async (): Promise<Parts> => ({
  ...(await partsOf('raft')),
  hooks: { disk: (disk) => disk.faults.skippedSyncs.add('group') },
})

const never = (): boolean => false
const control = async (jobs: number, shouldStop = never) => ({
  parts: await partsOf('raft'),
  jobs,
  stream: process.stderr,
  now: () => performance.now(),
  shouldStop,
})

/** A module outside of the workspace: Raft under another name, and what else it exports. */
const foreign = (more = ''): string => {
  const raft = JSON.stringify(new URL('../../../packages/engine-raft/src/index.ts', import.meta.url).href)
  const path = join(directory, 'my-raft.mjs')
  const create = '(init) => raft.create(init)'
  writeFileSync(
    path,
    `import { raft } from ${raft}\nexport default { name: 'my-raft', contract: 1, create: ${create} }\n${more}`,
  )
  return path
}

describe('the engine that is simulated', () => {
  test('may be any that comes with Conclave; for most of them there is an insight', async () => {
    for (const name of engineNames) {
      const { engine, insight } = await partsOf(name)
      expect([engine.name, insight?.engine ?? name]).toEqual([name, name])
    }
    await expect(partsOf('vsr')).rejects.toMatchObject({ code: 'engine-not-found' })
  })

  test('may come from elsewhere, and bring its insight along', async () => {
    const marks = '{ marks: [{ name: "elected" }], watch: () => ({}) }'
    const { engine, insight } = await partsOf(foreign(`export const insight = { engine: 'my-raft', marks: ${marks} }`))
    expect([engine.name, insight?.marks.marks]).toEqual(['my-raft', [{ name: 'elected' }]])
  })

  test.each([
    ['null', 'is no object'],
    ['{ engine: "raft" }', 'is about the engine "raft"'],
    ['{ engine: "my-raft" }', 'lacks `marks`'],
    ['{ engine: "my-raft", marks: { marks: [{}], watch() {} } }', 'lacks `marks`'],
    ['{ engine: "my-raft", marks: { marks: [], watch() {} }, standing: true }', 'has a `standing` that is no function'],
    ['{ engine: "my-raft", marks: { marks: [], watch() {} }, exempt: {} }', 'has an `exempt` that is no Map'],
  ])('is refused with an insight that is none: %s', async (insight, problem) => {
    const path = foreign(`export const insight = ${insight}`)
    await expect(partsOf(path)).rejects.toMatchObject({
      code: 'invalid-insight',
      message: expect.stringContaining(problem),
    })
  })
})

describe('what is asked for', () => {
  const flags = { engine: 'raft', faults: 'all', leases: false }

  test('a seed alone is one run; runs begin at the seed; without either there are a hundred', () => {
    expect(requestFrom({ ...flags, seed: 7 })).toMatchObject({ first: 7, runs: 1 })
    expect(requestFrom({ ...flags, seed: 1, runs: 1000 })).toMatchObject({ first: 1, runs: 1000 })
    expect(requestFrom({ ...flags, runs: 12 })).toMatchObject({ first: 1, runs: 12 })
    expect(requestFrom(flags)).toMatchObject({ first: 1, runs: 100 })
    const timed = requestFrom({ ...flags, seed: 5, duration: '10m' })
    expect(timed).toMatchObject({ first: 5, millis: 600_000 })
    expect(timed.runs).toBeGreaterThan(1e12)
  })

  test('durations have a unit and an end', () => {
    expect(['90s', '10m', '1.5h', '500ms'].map(parseDuration)).toEqual([90_000, 600_000, 5_400_000, 500])
    for (const wrong of ['10', '0s', '-1m', '10 m', '8000h', '1d', ''])
      expect(() => parseDuration(wrong)).toThrow('no duration')
  })

  test('faults are all, none, or kinds that there are', () => {
    expect(parseFaults('all')).toBe('all')
    expect(parseFaults('none')).toEqual([])
    expect(parseFaults('crash, disk-full')).toEqual(['crash', 'disk-full'])
    expect(() => parseFaults('crash,meteor')).toThrow('"meteor"')
  })

  test('the command that is printed asks for the same again', () => {
    const request = requestFrom({ ...flags, seed: 3, duration: '1m', nodes: 5, faults: 'crash,pause', leases: true })
    expect(commandFor(request, 3, 250)).toBe(
      'conclave simulate --engine raft --seed 3 --runs 250 --nodes 5 --faults crash,pause --leases',
    )
    expect(commandFor(requestFrom({ ...flags, seed: 3 }), 3, 1)).toBe('conclave simulate --engine raft --seed 3')
  })
})

test('the bar shows how far it is, and never more than all of it', () => {
  const line = campaignLine({ runs: 50, operations: 3900, failures: 1 }, 0.5, 12.34)
  expect(line).toBe('████████████░░░░░░░░░░░░  50 %  50 runs  12.3/s  3900 operations  1 failed')
  expect(campaignLine({ runs: 1, operations: 1, failures: 0 }, 1.7, 1)).toContain(`${'█'.repeat(24)} 100 %`)
})

describe('a campaign', () => {
  test('has the same digest and summary with one thread and with several', async () => {
    const request = requestFrom({ engine: 'raft', faults: 'all', leases: false, seed: 4, runs: 5 })
    const one = await runCampaign(request, await control(1))
    const three = await runCampaign(request, await control(3))
    expect(three.summary).toEqual(one.summary)
    expect(one.summary).toMatchObject({ runs: 5, failures: [] })
    expect([one.last, three.last]).toEqual([8, 8])
  })

  test('that is stopped says which seeds it has run, and their digest is that of these seeds', async () => {
    let asked = 0
    const request = requestFrom({ engine: 'raft', faults: 'all', leases: false, seed: 2, runs: 50 })
    const stopped = await runCampaign(request, await control(1, () => ++asked > 3))
    expect(stopped).toMatchObject({ last: 4, summary: { runs: 3 } })
    const whole = await runCampaign({ ...request, runs: 3 }, await control(1))
    expect(whole.summary.digest).toBe(stopped.summary.digest)
  })

  test('ends when its time is over', async () => {
    let clock = 0
    const request = requestFrom({ engine: 'raft', faults: 'none', leases: false, duration: '3s' })
    const done = await runCampaign(request, { ...(await control(1)), now: () => (clock += 200) })
    expect(done.summary.runs).toBeGreaterThan(0)
    expect(done.last).toBe(done.summary.runs)
    expect(done.summary.outOfReach.get('fault: crash')).toBe('no crash')
  })

  test('a thread that fails ends it, and no thread is left', async () => {
    let closed = 0
    const result = slim(await runPlan(planOf(1, { faults: [] }), await partsOf('raft')))
    const runner = (fails: boolean): SeedRunner => ({
      run: async () => {
        if (fails) throw new Error('out of memory')
        return result
      },
      close: async () => {
        closed++
      },
    })
    let seed = 0
    const next = (): number | undefined => (seed < 10 ? ++seed : undefined)
    await expect(runAll([runner(false), runner(true)], next, () => {})).rejects.toThrow('out of memory')
    expect(closed).toBe(2)
  })
})

describe('a failure', () => {
  test('is shrunk, told, drawn, and written as a plan that fails again in the same way', async () => {
    const parts = await forgetful()
    const plan = planOf(1)
    const { violation } = await runPlan(plan, parts)
    if (violation === undefined) throw new Error('seed 1 was to fail')
    const options = { maxRuns: 60, colour: false, width: 120 }
    const finding = await investigate(plan, violation, parts, options)
    expect(finding.plan.faults.length).toBeLessThan(plan.faults.length)
    expect(finding.timeline).toContain(`violated at`)
    expect(finding.timeline).toContain(violation.invariant)
    expect(finding.diagram).toContain(`Seed 1 violates: ${violation.invariant}`)
    const read = parsePlan(readFileSync(writePlan(join(directory, 'new'), finding.plan, 1), 'utf8'))
    expect(read).toEqual(finding.plan)
    expect(await failsLike(parts, violation)(read)).toBe(true)
    expect(await failsLike(await partsOf('raft'), violation)(read)).toBe(false)
  })

  test('of which shrinking is interrupted is told as it is', async () => {
    const parts = await forgetful()
    const plan = planOf(1)
    const { violation } = await runPlan(plan, parts)
    if (violation === undefined) throw new Error('seed 1 was to fail')
    let asked = 0
    const shouldStop = (): boolean => ++asked > 1
    const finding = await investigate(plan, violation, parts, { maxRuns: 50, colour: false, width: 120, shouldStop })
    expect(finding.plan).toEqual(plan)
  })
})

test('a campaign that fails ends in code 1, with the timeline, the plan and the diagram, and the plan replays', async () => {
  const said: string[] = []
  const say = (text: string): void => {
    said.push(text)
  }
  const flags = { engine: 'raft', faults: 'all', leases: false, seed: 1, runs: 2, jobs: 1, out: directory }
  const { exit, json } = await simulate(flags, say, forgetful)
  expect(exit).toBe(1)
  const text = said.join('\n')
  expect(text).toContain('2 runs')
  expect(text).toMatch(/seed 1, shrunk to \d+ faults?, \d+ nodes?, \d+ clients? in \d+ runs?:/)
  expect(text).toContain('violated at')
  expect(text).toContain('--replay')
  const plan = join(directory, 'conclave-simulate-1.json')
  const svg = join(directory, 'conclave-simulate-1.svg')
  expect(json).toMatchObject({ verdict: 'failed', failure: { seed: 1, files: { plan, diagram: svg } } })
  expect(readFileSync(svg, 'utf8')).toMatch(/^<svg /)
  rmSync(svg)
  const again = await replay({ file: plan, engine: 'raft', out: directory }, say, forgetful)
  expect(again).toMatchObject({ exit: 1, json: { verdict: 'failed', files: { diagram: svg } } })
  expect(existsSync(svg)).toBe(true)
})

describe('conclave simulate', () => {
  test('runs seeds and sums them up, for people and as JSON, and twice the same', async () => {
    const [text, json] = await Promise.all([
      run(directory, ['simulate', '--seed', '3', '--runs', '2', '--jobs', '2', '--nodes', '3']),
      run(directory, ['simulate', '--seed', '3', '--runs', '2', '--jobs', '1', '--nodes', '3', '--json']),
    ])
    expect([text.code, json.code]).toEqual([0, 0])
    expect([text.stderr, json.stderr]).toEqual(['', ''])
    const summary = JSON.parse(json.stdout)
    expect(summary).toMatchObject({ runs: 2, verdict: 'passed', seeds: { first: 3, last: 4 }, interrupted: false })
    expect(text.stdout).toContain(`digest ${summary.digest}`)
    expect(text.stdout).toContain('again: conclave simulate --engine raft --seed 3 --runs 2 --nodes 3')
  })

  test('runs an engine from elsewhere, in threads of its own too', async () => {
    const path = foreign()
    const { code, stdout, stderr } = await run(directory, [
      'simulate',
      '--engine',
      './my-raft.mjs',
      '--runs',
      '3',
      '--jobs',
      '2',
    ])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('my-raft, seeds from 1 on, in 2 threads')
    expect(stdout).toContain(`again: conclave simulate --engine ${path} --seed 1 --runs 3`)
    const unknown = await run(directory, ['simulate', '--engine', './none.mjs'])
    expect(unknown.code).toBe(2)
    expect(unknown.stderr).toContain('there is no engine at ./none.mjs')
  })

  test('its help names every kind of fault, also to a reader that leaves early', async () => {
    const { code, stdout } = await run(directory, ['simulate', '--help'])
    expect(code).toBe(0)
    expect(stdout.replace(/\s+/g, ' ')).toContain(`Kinds: ${faultTypes.join(', ')}`)

    const command = fileURLToPath(new URL('../bin/run.js', import.meta.url))
    const left = spawnSync('bash', ['-c', '"$@" | true; exit $PIPESTATUS', '', process.execPath, command, '--help'])
    expect([left.status, left.stderr.toString()]).toEqual([0, ''])
  })

  test('replays a plan from a file', async () => {
    writeFileSync(join(directory, 'plan.json'), JSON.stringify(planOf(1, { faults: [], nodes: 3 })))
    const { code, stdout } = await run(directory, ['simulate', '--replay', 'plan.json'])
    expect(code).toBe(0)
    expect(stdout).toContain('leader, epoch 1')
    expect(stdout).toContain('the plan of seed 1 does not fail')
    expect(existsSync(join(directory, 'conclave-simulate-1.svg'))).toBe(false)
  })

  test.each([
    ['no such fault', ['--faults', 'meteor'], 'There are: crash'],
    ['no duration', ['--duration', 'soon'], 'Write a number and a unit'],
    ['two bounds', ['--duration', '1m', '--runs', '5'], 'runs'],
    ['no such file', ['--replay', 'none.json'], 'cannot be read'],
    ['no plan', ['--replay', 'bad.json'], 'must be'],
  ])('usage errors say what to do: %s', async (_, args, hint) => {
    writeFileSync(join(directory, 'bad.json'), '{"version":1}')
    const { code, stderr } = await run(directory, ['simulate', ...args])
    expect(code).toBe(2)
    expect(stderr).toContain(hint)
  })

  test('ends cleanly on Ctrl-C, with the summary of what was run', async () => {
    const running = start(directory, ['simulate', '--duration', '1h', '--jobs', '1', '--faults', 'none'])
    const begun = setInterval(() => {
      if (!running.stdout().includes('seeds from 1 on')) return
      clearInterval(begun)
      running.child.kill('SIGINT')
    }, 50)
    const { code, signal, stdout } = await running.ended
    expect({ code, signal }).toEqual({ code: 130, signal: null })
    expect(stdout).toContain('again: conclave simulate --engine raft --seed 1')
    expect(stdout).toMatch(/digest [0-9a-f]{16}/)
  })
})
