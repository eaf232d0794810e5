// `npm run pack -- DIRECTORY`: builds, and puts a tarball of every public package there, to be installed elsewhere.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const root = fileURLToPath(new URL('../..', import.meta.url))

const readManifest = (folder: string): { readonly private?: boolean } =>
  JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))

/** Their folders, from the root. */
export const publicPackages = (): string[] =>
  ['packages', 'apps']
    .flatMap((parent) => readdirSync(join(root, parent)).map((name) => join(parent, name)))
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .filter((folder) => readManifest(folder).private !== true)

/** Packs one package, built before, into `place`. @returns the path of the tarball. */
export const pack = async (folder: string, place: string): Promise<string> => {
  mkdirSync(place, { recursive: true })
  const args = ['pack', '--silent', '--ignore-scripts', '--pack-destination', place]
  const { stdout } = await promisify(execFile)('npm', args, { cwd: join(root, folder) })
  return join(place, stdout.trim())
}

if (import.meta.main) {
  const [directory] = process.argv.slice(2)
  if (directory === undefined) throw new Error('where to? npm run pack -- DIRECTORY')
  for (const folder of publicPackages()) console.log(await pack(folder, resolve(directory)))
}
