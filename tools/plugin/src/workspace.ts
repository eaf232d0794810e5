import { isDeepStrictEqual } from 'node:util'
import type { Tree } from '@nx/devkit'
import { Refusal } from './refusal.ts'

/** What is taken from a manifest of the workspace. */
export interface Manifest {
  readonly version: string
  readonly license: string
  readonly engines: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, unknown>>
  readonly files: readonly string[]
  readonly devDependencies?: Readonly<Record<string, string>>
}

interface References {
  readonly references: readonly { readonly path: string }[]
}

/** @throws Refusal if this is no workspace of Conclave. */
export const readWorkspaceFile = (tree: Tree, path: string): string => {
  const text = tree.read(path, 'utf8')
  if (text === null)
    throw new Refusal(`there is no ${path} in ${tree.root}: this generator runs in a clone of the Conclave repository`)
  return text
}

export const readWorkspaceJson = <T>(tree: Tree, path: string): T => JSON.parse(readWorkspaceFile(tree, path)) as T

/**
 * The file with one more project reference. The text is edited, not written anew, since the file keeps the format that people gave it.
 * @throws Refusal if the references are not the last thing in the file.
 */
const withReference = (path: string, text: string, reference: string): string => {
  const before = JSON.parse(text) as References
  if (before.references.some((one) => one.path === reference)) return text
  const end = text.lastIndexOf(']')
  const last = text.lastIndexOf('}', end) + 1
  const after = `${text.slice(0, last)},\n    { "path": ${JSON.stringify(reference)} }${text.slice(last)}`
  const expected = { ...before, references: [...before.references, { path: reference }] }
  if (end === -1 || last === 0 || !isDeepStrictEqual(parsed(after), expected))
    throw new Refusal(`${path} does not end with its "references": add { "path": "${reference}" } there yourself first`)
  return after
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Makes a package known to `tsc -b`. All else (npm, vitest, lint, floors) goes by the names of folders. */
export const addReferences = (tree: Tree, directory: string): void => {
  for (const path of ['tsconfig.json', 'tsconfig.tests.json'])
    tree.write(path, withReference(path, readWorkspaceFile(tree, path), directory))
}
