import { basename, isAbsolute, join, normalize, relative } from 'node:path'
import type { Tree } from '@nx/devkit'
import type { KindName } from './kinds.ts'
import { Refusal } from './refusal.ts'

/** Where a package is made. */
export interface Place {
  /** From the root of the workspace. */
  readonly directory: string
  /** Name of the folder; within the workspace that of the test project too. */
  readonly folder: string
  readonly packageName: string
  /** Outside of the workspace: nothing there is shared with it. */
  readonly alone: boolean
}

/** @throws Refusal if nothing can be made there. */
export const placeOf = (tree: Tree, kind: KindName, name: string, given?: string): Place => {
  const wanted = given?.trim() || `packages/${kind}-${name}`
  const directory = normalize(isAbsolute(wanted) ? relative(tree.root, wanted) : wanted).replace(/\/+$/, '')
  const folder = basename(directory)
  const alone = directory.startsWith('../')
  // Workspaces, floors and the rules of lint go by these names.
  if (!alone && !new RegExp(`^packages/${kind}-[0-9a-z-]+$`).test(directory))
    throw new Refusal(
      `${directory} is no place for this: within the workspace a package stands in packages/ and is named by its role, such as packages/${kind}-${name}`,
    )
  if (tree.exists(directory) && (tree.isFile(directory) || tree.children(directory).length > 0))
    throw new Refusal(`${directory} is there already and not empty: choose another name, or remove it first`)
  if (alone && tree.exists(`packages/${kind}-${name}`))
    throw new Refusal(
      `Conclave has ${kind}-${name} itself: choose another name, so that a configuration can tell them apart`,
    )
  const packageName = alone ? `conclave-${kind}-${name}` : `@conclave/${folder}`
  if (!alone) refuseTaken(tree, packageName)
  return { directory, folder, packageName, alone }
}

const refuseTaken = (tree: Tree, packageName: string): void => {
  for (const parent of ['packages', 'apps', 'tools']) {
    for (const folder of tree.children(parent)) {
      const manifest = tree.read(join(parent, folder, 'package.json'), 'utf8')
      if (manifest !== null && (JSON.parse(manifest) as { name?: string }).name === packageName)
        throw new Refusal(`${parent}/${folder} is named ${packageName} already: choose another name`)
    }
  }
}
