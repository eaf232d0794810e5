import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

/** Runs a program in a process of its own, which has to end by itself. */
const run = async (program: string): Promise<string> => {
  // Within the repository, so that its packages are found.
  const directory = await mkdtemp(join(import.meta.dirname, 'program-'))
  try {
    const file = join(directory, 'program.ts')
    await writeFile(file, program)
    const options = { timeout: 25_000 }
    return (await promisify(execFile)(process.execPath, ['--conditions=@conclave/source', file], options)).stdout
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

test('the example of the README runs, and ends by itself', async () => {
  const readme = await readFile(join(import.meta.dirname, '../README.md'), 'utf8')
  const [, program = ''] = /```ts\n(.*?)```/s.exec(readme) ?? []
  expect(await run(program)).toBe(`${/console\.log\(.*\) \/\/ (.*)/.exec(program)?.[1]}\n`)
})

const resources = `
const left = () => process.getActiveResourcesInfo().filter((name) => !/^(PipeWrap|TTYWrap|FSReqPromise)$/.test(name))
`

test('a closed cluster leaves no timer and no handle, whatever was done to it', async () => {
  const said = await run(`
import { testCluster } from '@conclave/testing'
${resources}
const before = left().length
{
  await using cluster = await testCluster({ limits: { snapshotBytes: 4096, tailBytes: 1024 } })
  const client = await cluster.client()
  const [n1, n2, n3] = cluster.nodes
  for (let at = 0; at < 30; at++) await client.kv.put('key ' + at, 'x'.repeat(500))
  await n1?.kill()
  await client.kv.put('a', 'b')
  await n1?.restart()
  await cluster.waitForLeader()
  cluster.partition([['n1'], ['n2', 'n3']])
  await client.kv.put('a', 'c')
  n2?.pause()
  await n3?.kill()
}
console.log(left().length - before, 'left', ...left())
`)
  expect(said).toBe('0 left\n')
})

test('an open cluster keeps the program alive', async () => {
  const said = await run(`
import { testCluster } from '@conclave/testing'
const cluster = await testCluster({ nodes: 1 })
setTimeout(() => {
  console.log('still here')
  void cluster.close()
}, 300).unref()
`)
  expect(said).toBe('still here\n')
})
