import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { strategies, strategyNames } from '../src/index.ts'

const readme = await readFile(join(import.meta.dirname, '../README.md'), 'utf8')
const blocks = [...readme.matchAll(/```(?:ts|text)\n(.*?)```/gs)].map(([, block = '']) => block)

/** Runs a program within the repository, so that its packages are found. */
const outputOf = async (program: string): Promise<string> => {
  const directory = await mkdtemp(join(import.meta.dirname, 'readme-'))
  try {
    const file = join(directory, 'readme.ts')
    await writeFile(file, program)
    const args = ['--conditions=@conclave/source', file]
    return (await promisify(execFile)(process.execPath, args, { timeout: 25_000 })).stdout
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

test('the example of the README prints what the README says', async () => {
  const [program = '', printed = ''] = blocks
  expect(await outputOf(program)).toBe(printed)
})

test('the simulation of the README runs', async () => {
  const program = blocks.at(2) ?? ''
  expect(program).toContain('simulate(presets')
  const shown = program.replace(/^(strategies\.p2c.*) \/\/.*$/m, 'console.log($1)')
  expect(Number(await outputOf(shown))).toBeGreaterThan(1)
})

test('the table of the README has every strategy by its name, and what it goes by', () => {
  const rows = [...readme.matchAll(/^\| `([\w-]+)` \| `(\w+)` \| (.*?)\|/gm)]
  expect(rows.map(([, name]) => name)).toEqual(strategyNames)
  for (const [, name = '', , needs = ''] of rows) {
    const { key, weights, latency, inFlight } = strategies[name as keyof typeof strategies].needs
    const told = { keys: key, weights, latencies: latency, 'in flight': inFlight }
    for (const [word, needed] of Object.entries(told))
      expect([name, word, needs.includes(word)]).toEqual([name, word, needed === true])
  }
})
