// Does docs/write-an-engine.md do what it says? Types it into an empty folder, block by block, runs its commands, and compares what they print.
// Part of `npm run check:packages`. By hand: node tools/house/tutorial.ts DIRECTORY, inside a folder where the packages are installed.
import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './pack.ts'

const page = join(root, 'docs/write-an-engine.md')
/** What the check has done in another way. */
const doneBefore = /^(?:npm ci|npm install|mkdir) /

const blocks = (): { readonly language: string; readonly text: string }[] =>
  [...readFileSync(page, 'utf8').matchAll(/^```(\w.*)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
    language,
    text,
  }))

/** A block names its file in its first line, and whether it goes on with it. */
const write = (directory: string, text: string): void => {
  const [, name = '', continued] = /^\/\/ ([a-z.]+)(, continued)?\n/.exec(text) ?? []
  if (name === '') throw new Error(`a block without the name of its file:\n${text}`)
  if (continued === undefined) writeFileSync(join(directory, name), text)
  else appendFileSync(join(directory, name), `\n${text}`)
}

/** Applies the diff of one file: what it takes out has to be there, once. */
const edit = (directory: string, text: string): void => {
  const [head = '', ...lines] = text.trimEnd().split('\n')
  const file = join(directory, head.replace('--- ', ''))
  const side = (without: string): string =>
    lines
      .filter((line) => !line.startsWith(without))
      .map((line) => `${line.slice(1)}\n`)
      .join('')
  const [before, after] = [side('+'), side('-')]
  const parts = readFileSync(file, 'utf8').split(before)
  if (parts.length !== 2) throw new Error(`${head}: not exactly once there:\n${before}`)
  writeFileSync(file, parts.join(after))
}

/** So often is a command tried that ends with 4, unavailable: on a busy machine a cluster may be slow to answer. */
const attempts = 5

const runLine = (directory: string, line: string): string => {
  const expected = Number(/# exits with (\d+)$/.exec(line)?.[1] ?? 0)
  for (let attempt = 1; ; attempt++) {
    const { status, stdout, stderr } = spawnSync('bash', ['-c', line], { cwd: directory, encoding: 'utf8' })
    if (status === expected) return stdout
    if (status !== 4 || attempt === attempts) throw new Error(`${line}\nended with ${status}:\n${stdout}${stderr}`)
  }
}

/** Runs the commands of a block. @returns what they print. @throws Error if one does not end as the page says. */
const run = (directory: string, text: string): string =>
  text
    .trimEnd()
    .split('\n')
    .filter((line) => !doneBefore.test(line))
    .map((line) => runLine(directory, line))
    .join('')

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

/** Word by word; `…` stands for anything. */
const compare = (printed: string, shown: string): void => {
  const pattern = shown.trimEnd().split('…').map(escaped).join('[\\s\\S]*')
  if (!new RegExp(`^${pattern}$`).test(printed.trimEnd()))
    throw new Error(`the page shows\n${shown}but it is\n${printed}`)
}

const words = (cell: string): string =>
  cell
    .replace(/\b[0-9a-f]{16}\b|\d+(?:\.\d)?|─/g, '')
    .replace(/\s+/g, ' ')
    .trim()

/** A part of a timeline: its lines come in this order, whatever the numbers and what is between them. */
const compareTimeline = (printed: string, shown: string): void => {
  const lines = printed.split('\n').map(words)
  let at = 0
  for (const line of shown.trimEnd().split('\n')) {
    const cells = line.split('│').map(words).filter(Boolean)
    const found = lines.findIndex((candidate, index) => index >= at && cells.every((cell) => candidate.includes(cell)))
    if (found < 0) throw new Error(`the page shows\n${line}\nwhich does not follow in\n${printed}`)
    at = found + 1
  }
}

/** Does what the page says, in this folder. @throws Error at the first thing that is not so. */
export const followTutorial = (directory: string): void => {
  mkdirSync(directory, { recursive: true })
  let printed = ''
  try {
    for (const { language, text } of blocks()) {
      if (language === 'ts' || language === 'json') write(directory, text)
      else if (language === 'diff') edit(directory, text)
      else if (language === 'sh') printed = run(directory, text)
      else if (language === 'text timeline') compareTimeline(printed, text)
      else if (printed !== '') compare(printed, text)
    }
  } catch (error) {
    spawnSync('npx', ['conclave', 'down', '--purge'], { cwd: directory })
    throw error
  }
}

if (import.meta.main) {
  const [directory] = process.argv.slice(2)
  if (directory === undefined) throw new Error('where? node tools/house/tutorial.ts DIRECTORY')
  followTutorial(directory)
}
