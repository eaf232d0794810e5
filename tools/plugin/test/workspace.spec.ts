import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type GeneratorCallback, logger } from '@nx/devkit'
import { FsTree, flushChanges } from 'nx/src/generators/tree'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { balancer, engine, journal, machine, transport } from '../src/generators.ts'
import { type KindName, kinds } from '../src/kinds.ts'
import { repository, TemporaryWorkspace } from './temporary-workspace.ts'

const generators = { engine, journal, transport, machine, balancer }
const kindNames = Object.keys(kinds) as KindName[]
/** As long as a name may be: what it makes longer has to be formatted as well. */
const longName = 'an-algorithm-with-a-long-name-32'
const slow = 120_000

interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly assertionResults: readonly {
      readonly title: string
      readonly status: 'passed' | 'failed' | 'skipped'
      readonly failureMessages: readonly string[]
    }[]
  }[]
}
type Results = Report['testResults'][number]['assertionResults']

/** What a skeleton fails at, among others; and what all its failures say. */
const missing: Readonly<Record<KindName, { readonly named: readonly string[]; readonly because: RegExp }>> = {
  engine: {
    named: [
      'propose: decided at the leader, told to every node, in one order',
      'the durability rule: the leader’s own vote for an entry is its persisted',
      'what was acknowledged survives the loss of power of all nodes at once',
      'when everything is healed a leader is elected, what was proposed settles, and all nodes decide the same',
    ],
    because:
      /a leader: not within|elect neither of them|no leader after|only 0 positions were acknowledged|0 elections/,
  },
  journal: {
    named: ['put: sets a slot, its chunks together', 'stage: an empty body is a body'],
    because: /(?:write|stage) is not written yet|error === undefined/,
  },
  transport: {
    named: ['close: no handler call follows; safe to call twice', 'transfer: several run at once'],
    because: /makes no links yet: start is not written/,
  },
  machine: {
    named: ['hash: 16 hexadecimal digits, and different states are told apart', 'apply: a command is taken'],
    because: /it says nothing of the state|status: 'refused'/,
  },
  balancer: {
    named: ['pick: one of the candidates, be they one or many', 'settled: a latency may be anything from 0 up'],
    because: /nothing was picked of \d candidates/,
  },
}

/** An algorithm in place of the skeleton: Raft under another name. */
const aWrapper = `
import { raft } from '@conclave/engine-raft'
import type { Effects, Engine, EngineInit, Input, Monotonic, Status } from '@conclave/interface'

export class FilledInEngine implements Engine {
  readonly #raft: Engine
  constructor(init: EngineInit) { this.#raft = raft.create(init) }
  get supports() { return this.#raft.supports }
  step(input: Input, now: Monotonic): void { this.#raft.step(input, now) }
  drain(): Effects { return this.#raft.drain() }
  status(): Status { return this.#raft.status() }
}
export const describe = raft.describe
`
const roundRobin = `
export class FilledInBalancer<Candidate> {
  #turn = 0
  pick(_request: unknown, candidates: readonly Candidate[]): Candidate | undefined {
    return candidates[this.#turn++ % candidates.length]
  }
}
`

let workspace: TemporaryWorkspace
beforeAll(() => {
  workspace = new TemporaryWorkspace()
  vi.spyOn(logger, 'info').mockReturnValue()
}, slow)
afterAll(() => workspace[Symbol.dispose]())

const read = (path: string): string => readFileSync(join(workspace.root, path), 'utf8')

/** As nx does it, without its start-up. @returns what is left to do when the files are there: format them, and tell what to do next. */
const generate = (kind: KindName, name: string, directory?: string): GeneratorCallback => {
  const tree = new FsTree(workspace.root, false)
  const written = generators[kind](tree, { name, ...(directory !== undefined && { directory }) })
  flushChanges(workspace.root, tree.listChanges())
  return written
}

const nx = (...args: string[]) => workspace.run('nx', ['g', ...args, '--no-interactive'])

test(
  'the command of the README makes an engine and says what to do next; a second time it refuses and changes nothing',
  async () => {
    const made = await nx('@conclave/plugin:engine', 'my-algo')
    expect(made.output).toContain('packages/engine-my-algo is an engine that refuses everything. Next:')
    expect(made.output).toMatch(/npm install .*\n.*npx vitest run --project engine-my-algo /)
    expect(made.code).toBe(0)
    const files = readdirSync(join(workspace.root, 'packages/engine-my-algo'), { recursive: true }).sort()
    const references = read('tsconfig.json')
    const again = await nx('@conclave/plugin:engine', 'my-algo')
    expect(again.output).toContain('packages/engine-my-algo is there already and not empty')
    expect(again.code).toBe(1)
    expect(readdirSync(join(workspace.root, 'packages/engine-my-algo'), { recursive: true }).sort()).toEqual(files)
    expect(read('tsconfig.json')).toBe(references)
  },
  slow,
)

test(
  'what is made compiles, and passes lint, format and floors',
  async () => {
    for (const kind of kindNames) if (kind !== 'engine') generate(kind, 'my-algo')
    for (const kind of ['engine', 'machine'] as const) await generate(kind, longName)()
    // The floors compare what they read with what git knows.
    await workspace.run('git', ['init', '--quiet'])
    const { code, output } = await workspace.run(process.execPath, ['tools/house/check.ts'])
    expect(output).toContain('4 passed, 0 failed')
    expect(code).toBe(0)
  },
  slow,
)

describe('the suite that is wired', () => {
  const results = new Map<string, Results>()

  beforeAll(async () => {
    generate('engine', 'filled-in')
    generate('balancer', 'filled-in')
    const write = (path: string, text: string): void => writeFileSync(join(workspace.root, 'packages', path), text)
    write('engine-filled-in/src/engine.ts', aWrapper)
    write('engine-filled-in/src/messages.ts', "export { describe } from './engine.ts'\n")
    write('balancer-filled-in/src/balancer.ts', roundRobin)
    const projects = [...kindNames.map((kind) => `${kind}-my-algo`), 'engine-filled-in', 'balancer-filled-in']
    const args = [...projects.flatMap((name) => ['--project', name]), '--reporter=json', '--outputFile=report.json']
    await workspace.run('vitest', ['run', ...args], { env: { COMPLIANCE_SEEDS: '1' } })
    const { testResults } = JSON.parse(read('report.json')) as Report
    for (const { name, assertionResults } of testResults)
      results.set(/packages\/([^/]+)\//.exec(name)?.[1] ?? name, assertionResults)
  }, slow)

  const failuresOf = (project: string) => (results.get(project) ?? []).filter(({ status }) => status === 'failed')

  test.each(kindNames)('fails for the skeleton of the kind %s, and says what is missing', (kind) => {
    const failures = failuresOf(`${kind}-my-algo`)
    expect(failures.map(({ title }) => title)).toEqual(expect.arrayContaining([...missing[kind].named]))
    for (const { title, failureMessages } of failures)
      expect(failureMessages.join('\n'), `what "${title}" says`).toMatch(missing[kind].because)
  })

  test('passes once the algorithm is there: an engine', () => {
    expect(failuresOf('engine-filled-in')).toEqual([])
    expect(results.get('engine-filled-in')?.filter(({ status }) => status === 'passed').length).toBeGreaterThan(50)
  })

  test('passes once the algorithm is there: a balancer', () => {
    expect(failuresOf('balancer-filled-in')).toEqual([])
    expect(results.get('balancer-filled-in')?.filter(({ status }) => status === 'passed').length).toBeGreaterThan(7)
  })
})

test(
  'outside of the workspace a package stands alone: it builds, and its suite runs, with what is installed there',
  async () => {
    const alone = mkdtempSync(join(tmpdir(), 'conclave-alone-'))
    try {
      generate('balancer', 'abroad', alone)
      symlinkSync(join(repository, 'node_modules'), join(alone, 'node_modules'))
      expect((await workspace.run('npm', ['run', 'build'], { cwd: alone })).code).toBe(0)
      expect(readdirSync(join(alone, 'dist'))).toContain('index.js')
      const { code, output } = await workspace.run('npm', ['test'], { cwd: alone })
      expect(output).toMatch(/nothing was picked of 1 candidates/)
      expect(output).toMatch(/Tests +10 failed \| 1 passed/)
      expect(code).toBe(1)
      expect(read('tsconfig.json')).not.toContain('alone')
    } finally {
      rmSync(alone, { recursive: true })
    }
  },
  slow,
)
