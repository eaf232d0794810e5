import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { Suite, type TestRunner } from '../src/index.ts'

test('the example of the README is a whole spec, for a runner that the package knows nothing of', async () => {
  const readme = await readFile(join(import.meta.dirname, '../README.md'), 'utf8')
  const [, program = ''] = /```ts\n(.*?)```/s.exec(readme) ?? []
  // Within the repository, so that its packages are found.
  const directory = await mkdtemp(join(import.meta.dirname, 'spec-'))
  try {
    const file = join(directory, 'readme.ts')
    await writeFile(file, program)
    const args = ['--conditions=@conclave/source', '--test-reporter=tap', '--test', file]
    // A runner within a runner would report to the outer one.
    const { NODE_TEST_CONTEXT: _, COMPLIANCE_SEEDS: __, ...env } = process.env
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 25_000, env })
    expect(stdout).toMatch(/# Subtest: the machine kv \(seeds 1 to 3\)/)
    expect(stdout).toMatch(/ok \d+ - apply: a malformed command never throws/)
    expect(stdout).toMatch(/# SKIP/)
    expect(stdout).toMatch(/# fail 0/)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})

describe('a suite', () => {
  const fine = { name: 'fine', run: async () => {} }
  const broken = { name: 'broken', run: () => Promise.reject(new Error('no')) }
  const left = { name: 'left', skipped: 'nobody offers it', run: () => Promise.reject(new Error('must not run')) }

  test('tells what became of each test, and why some were left out', async () => {
    const suite = new Suite('a thing', { seeds: 2, seed: 7 }, [fine, broken, left])
    expect(suite.report()).toMatch(/^a thing: 0 passed, 0 failed, 1 skipped, 2 not run; seeds 7 to 8 /)
    expect((await suite.run()).map(({ name }) => name)).toEqual(['broken'])
    expect(Object.fromEntries(suite.outcomes)).toEqual({ fine: 'passed', broken: 'failed', left: 'skipped' })
    expect(suite.report().split('\n').slice(1)).toEqual(['  failed: broken', '  skipped: left: nobody offers it'])
  })

  test('hands each test to the runner, and the skipped ones with their reason', () => {
    const told: string[] = []
    const runner: TestRunner = {
      describe: (name, body) => {
        told.push(name)
        body()
      },
      test: Object.assign((name: string) => told.push(name), { skip: (name: string) => told.push(`skip ${name}`) }),
    }
    new Suite('a thing', { seeds: 1 }, [fine, left]).register(runner)
    expect(told).toEqual(['a thing (seed 1)', 'fine', 'skip left (skipped: nobody offers it)'])
  })

  test('takes its number of seeds from the environment, and refuses one that is none', () => {
    const before = process.env.COMPLIANCE_SEEDS
    try {
      process.env.COMPLIANCE_SEEDS = '5'
      expect(new Suite('a thing', {}, []).seeds).toEqual([1, 2, 3, 4, 5])
      expect(new Suite('a thing', { seeds: 2 }, []).seeds).toEqual([1, 2])
      process.env.COMPLIANCE_SEEDS = 'many'
      expect(() => new Suite('a thing', {}, [])).toThrow(/1 to 1000000, got NaN \(option seeds, or COMPLIANCE_SEEDS\)/)
    } finally {
      if (before === undefined) delete process.env.COMPLIANCE_SEEDS
      else process.env.COMPLIANCE_SEEDS = before
    }
  })
})
