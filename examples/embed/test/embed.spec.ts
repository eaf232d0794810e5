import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runExample } from '../../run-example.ts'

const root = join(import.meta.dirname, '../../..')

describe('examples/embed', () => {
  it('shares one store among three nodes, and lets one of three swaps win', async () => {
    const said = await runExample(join(root, 'examples/embed/embed.ts'))
    expect(said).toBe('a wrote revision 1; b reads "hello"\n1 of 3 swaps were done\n')
  })
})

describe('the README', () => {
  it('opens with a program that does what it says, and ends by itself', async () => {
    const [, program = ''] = /```ts\n(.*?)```/s.exec(await readFile(join(root, 'README.md'), 'utf8')) ?? []
    // Within the repository, so that its packages are found.
    const directory = await mkdtemp(join(root, 'examples/embed/readme-'))
    try {
      const file = join(directory, 'readme.ts')
      await writeFile(file, program)
      expect(await runExample(file, directory)).toBe(`${/console\.log\(.*\) \/\/ (.*)/.exec(program)?.[1]}\n`)
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })
})
