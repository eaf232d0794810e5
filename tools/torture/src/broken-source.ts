import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** One line of the real source, and what a mistaken author would have written. */
export interface Edit {
  /** Package and file, below `packages/` and without `src/`: `engine-raft/replication.ts`. */
  readonly file: string
  /** Stands exactly once in that file. */
  readonly find: string
  readonly replace: string
}

const packages = fileURLToPath(new URL('../../../packages/', import.meta.url))
const workshop = fileURLToPath(new URL('../.broken/', import.meta.url))

const copyOf = (fixture: string, name: string): string => join(workshop, fixture, name)

const applyEdit = (fixture: string, { file, find, replace }: Edit): void => {
  const [name = '', ...rest] = file.split('/')
  const path = join(copyOf(fixture, name), ...rest)
  const source = readFileSync(path, 'utf8')
  const parts = source.split(find)
  if (parts.length !== 2)
    throw new Error(`${fixture}: ${JSON.stringify(find)} stands ${parts.length - 1} times in ${file}, not once`)
  writeFileSync(path, parts.join(replace))
}

/** Lets the copy of a package import the copies of others, not the real ones. */
const useCopies = (fixture: string, user: string, names: readonly string[]): void => {
  for (const file of readdirSync(copyOf(fixture, user), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue
    const path = join(copyOf(fixture, user), file)
    let source = readFileSync(path, 'utf8')
    for (const name of names)
      source = source.replaceAll(
        `'@conclave/${name}'`,
        `'${pathToFileURL(join(copyOf(fixture, name), 'index.ts')).href}'`,
      )
    writeFileSync(path, source)
  }
}

/**
 * Makes copies of the packages that are edited, breaks them, and loads them. A broken variant is thereby always the present source but for its
 * one mistake; an edit that fits no more is an error, never a fixture that tests nothing.
 *
 * @param users packages that are copied too, since they import what is edited.
 * @returns the modules by package name; those that are not edited are absent.
 */
export const loadBroken = async (
  fixture: string,
  edits: readonly Edit[],
  users: readonly string[] = [],
): Promise<ReadonlyMap<string, Readonly<Record<string, unknown>>>> => {
  const slug = `${fixture.replaceAll(/[^a-z0-9]+/gi, '-')}-${process.pid}`
  const names = [...new Set([...edits.map(({ file }) => file.split('/')[0] ?? ''), ...users])]
  const modules = new Map<string, Readonly<Record<string, unknown>>>()
  try {
    for (const name of names) cpSync(join(packages, name, 'src'), copyOf(slug, name), { recursive: true })
    for (const edit of edits) applyEdit(slug, edit)
    for (const user of users) useCopies(slug, user, names)
    for (const name of names) {
      const href = pathToFileURL(join(copyOf(slug, name), 'index.ts')).href
      modules.set(name, await import(/* @vite-ignore */ href))
    }
  } finally {
    rmSync(join(workshop, slug), { recursive: true, force: true })
  }
  return modules
}
