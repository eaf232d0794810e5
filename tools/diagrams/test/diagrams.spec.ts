import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { drawPicture } from '../src/picture.ts'
import { pictures } from '../src/pictures.ts'

const docs = join(import.meta.dirname, '../../../docs')
const made = await pictures()

describe('the pictures of docs/engines.md', () => {
  it.each([...made.keys()])(
    '%s is what the engine does now (if not: npm run make -w @conclave/diagrams)',
    async (file) => {
      const picture = made.get(file)
      expect(picture && drawPicture(picture)).toBe(await readFile(join(docs, 'engines', file), 'utf8'))
    },
  )

  it('are all of those in the folder, and on the page', async () => {
    const files = [...made.keys()].sort()
    expect((await readdir(join(docs, 'engines'))).sort()).toEqual(files)
    const page = await readFile(join(docs, 'engines.md'), 'utf8')
    expect(
      page
        .match(/engines\/[a-z-]+\.svg/g)
        ?.map((path) => path.replace('engines/', ''))
        .sort(),
    ).toEqual(files)
  })

  it('show a write that is told to the client, and a change of the leader in which what was proposed is decided', () => {
    for (const [file, { moments }] of made) {
      const decided = moments.find(({ type }) => type === 'decides')
      expect(decided).toMatchObject({ words: expect.stringMatching(/^2: x = [12]/) })
      const told = moments.some(({ type }) => type === 'told')
      expect(told).toBe(file.endsWith('-write.svg'))
    }
  })
})
