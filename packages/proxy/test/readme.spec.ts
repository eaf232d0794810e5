import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

test('the example of the README runs, prints what it says, and ends by itself', async () => {
  const readme = await readFile(join(import.meta.dirname, '../README.md'), 'utf8')
  const [, program = ''] = /```ts\n(.*?)```/s.exec(readme) ?? []
  // Within the repository, so that its packages are found.
  const directory = await mkdtemp(join(import.meta.dirname, 'program-'))
  try {
    const file = join(directory, 'program.ts')
    await writeFile(file, program)
    const args = ['--conditions=@conclave/source', file]
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 25_000 })
    expect(stdout).toBe(`${/console\.log\(.*\) \/\/ (.*)/.exec(program)?.[1]}\n`)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})

test('a proxy that was closed, once or twice, leaves nothing that keeps the program', async () => {
  const directory = await mkdtemp(join(import.meta.dirname, 'program-'))
  try {
    const file = join(directory, 'program.ts')
    await writeFile(
      file,
      `import { createProxy, fixedInstances } from '@conclave/proxy'
const balancer = { pick: () => undefined }
const source = fixedInstances(['127.0.0.1:1'])
for (const mode of ['http', 'tcp'] as const) {
  await using proxy = await createProxy({ mode, listen: { port: 0 }, admin: { port: 0 }, health: { check: 'tcp' }, source, balancer })
  await proxy.close()
}
// Handles are closed at the end of a turn, behind immediates.
for (const _ of [1, 2]) await new Promise((resolve) => setImmediate(resolve))
console.log(process.getActiveResourcesInfo().filter((name) => /Timeout|TCP/.test(name)))
`,
    )
    const args = ['--conditions=@conclave/source', file]
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 25_000 })
    expect(stdout).toBe('[]\n')
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})

test('docs/proxy.md names every default as it is, and every metric', async () => {
  const { defaultLimits, defaultRetries, defaultTimeouts, prometheusText } = await import('../src/index.ts')
  const { httpProxy } = await import('./world.ts')
  const page = await readFile(join(import.meta.dirname, '../../../docs/proxy.md'), 'utf8')
  for (const [name, value] of Object.entries({ ...defaultTimeouts, ...defaultLimits, ...defaultRetries })) {
    const [, told] = new RegExp(`^\\| \`\\w+\\.${name}\`[^|]*\\| (\\S+)`, 'm').exec(page) ?? []
    expect([name, told]).toEqual([name, value.toLocaleString('en-US')])
  }
  const text = prometheusText((await httpProxy(['a:1'])).metrics)
  for (const [, name] of text.matchAll(/^# TYPE (\S+)/gm)) expect(page).toContain(`\`${name}\``)
})
