/** Where an engine is: the directory of a package, and the file in it that an import runs. */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isBuiltIn } from './built-ins.ts'
import { NoEngine } from './engine-errors.ts'

export interface EngineSearch {
  /** The directory that paths and package names start from: that of a configuration file, or the working directory. */
  readonly from: string
  /** Where packages are looked for next: directories that hold a `node_modules`, such as that of `conclave plugins install`. */
  readonly also?: readonly string[]
}

const here = dirname(fileURLToPath(import.meta.url))

/** Whether a name of an engine is a path: absolute, or beginning with `.` or `..`. */
export const isPath = (name: string): boolean => isAbsolute(name) || /^\.{1,2}(?:[\\/]|$)/.test(name)

export const isPackageName = (name: string): boolean =>
  /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/i.test(name)

/** The directory of a package as an import from `place` would find it: in `node_modules` there or above. */
const packageFrom = (place: string, name: string): string | undefined =>
  (createRequire(join(place, 'package.json')).resolve.paths(name) ?? [])
    .map((folder) => join(folder, name))
    .find((directory) => existsSync(join(directory, 'package.json')))

/**
 * What names this engine wherever it is read: a built-in name as it is, otherwise the absolute path of a file or of a package's directory. Undefined if there
 * is nothing of this name.
 */
export const placeOf = (name: string, { from, also = [] }: EngineSearch): string | undefined => {
  if (isBuiltIn(name)) return name
  if (isPath(name)) {
    const path = resolve(from, name)
    return existsSync(path) ? path : undefined
  }
  if (!isPackageName(name)) return undefined
  return [resolve(from), ...also, here].map((place) => packageFrom(place, name)).find((found) => found !== undefined)
}

const conditions = new Set(['node', 'import', 'module-sync', 'default'])

/** What an import gets of a target in `exports`: the first condition that holds, however deep. */
const targetOf = (target: unknown): string | undefined => {
  if (typeof target === 'string') return target
  if (typeof target !== 'object' || target === null) return undefined
  const choices = Array.isArray(target)
    ? target
    : Object.entries(target).flatMap(([condition, inner]) => (conditions.has(condition) ? [inner] : []))
  return choices.map(targetOf).find((found) => found !== undefined)
}

const mainOf = (exported: unknown): unknown =>
  typeof exported === 'object' && exported !== null && '.' in exported ? exported['.'] : exported

const readManifest = (directory: string): Readonly<Record<string, unknown>> => {
  try {
    return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new NoEngine(
      `${directory} is no package: ${why}. Name a package's directory, or the .js file of the engine itself.`,
    )
  }
}

/**
 * The file that is run when the package of this directory is imported. Imports know no directories, and `require` not what is exported for imports
 * only, so its manifest is read here.
 * @throws NoEngine if there is no manifest, if it exports nothing to an import, or a file that is not there.
 */
export const entryOf = (directory: string): string => {
  const { exports: exported } = readManifest(directory)
  if (exported === undefined) return legacyEntryOf(directory)
  const target = targetOf(mainOf(exported))
  if (target === undefined)
    throw new NoEngine(`the package in ${directory} exports nothing for an import: see "exports" in its package.json.`)
  const file = join(directory, target)
  if (existsSync(file)) return file
  throw new NoEngine(`the package in ${directory} exports ${target}, which is not there. Is it built?`)
}

const legacyEntryOf = (directory: string): string => {
  try {
    return createRequire(join(directory, 'package.json')).resolve(directory)
  } catch {
    throw new NoEngine(
      `the package in ${directory} has nothing to import: neither "exports" nor "main" in its package.json names a file that is there. Is it built?`,
    )
  }
}
