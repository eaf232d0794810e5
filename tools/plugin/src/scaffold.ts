import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type GeneratorCallback, generateFiles, logger, type Tree } from '@nx/devkit'
import { format } from './format.ts'
import { type KindName, kinds } from './kinds.ts'
import { manifestOf, tsconfigOf } from './manifest.ts'
import { checkedDescription, namesOf } from './names.ts'
import { placeOf } from './place.ts'
import { addReferences, readWorkspaceFile } from './workspace.ts'

/** As in `schema.json`. */
export interface Options {
  readonly name: string
  readonly directory?: string
  readonly description?: string
}

const templates = fileURLToPath(new URL('../templates', import.meta.url))

/**
 * Makes a plug-in package of one kind. Changes the tree only; nx writes it when this has returned.
 * @returns formats it and tells what to do next; to be called when it is written.
 * @throws Refusal if it cannot be made. Nothing is written then.
 */
export const scaffold = (tree: Tree, kindName: KindName, options: Options): GeneratorCallback => {
  const kind = kinds[kindName]
  const names = namesOf(kindName, String(options.name))
  const place = placeOf(tree, kindName, names.name, options.directory)
  const description = checkedDescription(options.description ?? kind.description(names.name))
  const { directory, packageName, folder, alone } = place
  const check = alone ? 'npm test' : `npx vitest run --project ${folder}`
  const files = {
    'package.json': manifestOf(tree, kind, place, description),
    'tsconfig.json': tsconfigOf(tree, kind, place),
    LICENSE: readWorkspaceFile(tree, 'LICENSE'),
  }
  if (!alone) addReferences(tree, directory)
  generateFiles(tree, join(templates, kindName), directory, { ...names, packageName, description, check, tmpl: '' })
  for (const [file, text] of Object.entries(files)) tree.write(join(directory, file), text)
  return () => {
    if (!alone) format(tree.root, directory)
    logger.info(nextSteps(kind.noun, alone ? resolve(tree.root, directory) : directory, alone, check))
  }
}

const nextSteps = (noun: string, directory: string, alone: boolean, check: string): string => {
  const whatIsMissing = 'names what is missing, in the words of the contract'
  const steps: readonly (readonly [command: string, what: string])[] = alone
    ? [
        [`cd ${directory}`, ''],
        ['npm install', 'the contracts, the suite and the tools'],
        [check, whatIsMissing],
        ['npm run build', 'types; JavaScript in dist'],
      ]
    : [
        ['npm install', 'makes npm know the package'],
        [check, whatIsMissing],
        ['npm run check', 'types, lint, import floors'],
      ]
  const width = Math.max(...steps.map(([command]) => command.length))
  const lines = steps.map(([command, what]) => `  ${command.padEnd(width)}  ${what}`.trimEnd())
  return `\n${directory} is ${noun} that refuses everything. Next:\n\n${lines.join('\n')}\n\nIts README.md says how to begin.\n`
}
