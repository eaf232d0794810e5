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
