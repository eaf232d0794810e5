/**
 * `conclave plugins install` is oclif's. It takes packages of the registry and URLs; a path it takes for a repository on GitHub. So a local package is turned into
 * the URL of a tarball before the command reads its arguments.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isAbsolute, join, resolve } from 'node:path'
import { Errors } from '@oclif/core'
import { exitCodes } from './exit.ts'

const isLocal = (argument: string): boolean =>
  isAbsolute(argument) || /^\.{1,2}(?:[\\/]|$)/.test(argument) || /\.(?:tgz|tar\.gz)$/.test(argument)

/** In oclif's own class: it passes over other errors of a hook. */
const failed = (message: string, hint?: string): Errors.CLIError =>
  new Errors.CLIError(message, { exit: exitCodes.usage, ...(hint === undefined ? {} : { suggestions: [hint] }) })

/** The name of the package in a directory. @throws CLIError if oclif would not take it. */
export const installableName = (directory: string): string => {
  let manifest: { readonly name?: unknown; readonly oclif?: unknown }
  try {
    manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
  } catch (error) {
    throw failed(`${directory} is no package: ${error instanceof Error ? error.message : String(error)}`)
  }
  const { name, oclif } = manifest
  if (typeof name !== 'string' || name === '') throw failed(`the package in ${directory} has no name`)
  if (typeof oclif === 'object' && oclif !== null) return name
  throw failed(
    `the package in ${directory} does not say that it is for this command`,
    `Add "oclif": {} to ${join(directory, 'package.json')}, or name its path: --engine ${directory}`,
  )
}

/** The npm that oclif's plugin brings along: it need not be on the path. */
const npmPath = (): string => {
  const plugin = createRequire(import.meta.url).resolve('@oclif/plugin-plugins')
  return createRequire(plugin)
    .resolve('npm/package.json')
    .replace(/package\.json$/, 'bin/npm-cli.js')
}

const npm = (args: readonly string[]): Promise<void> =>
  new Promise((done, reject) => {
    const child = spawn(process.execPath, [npmPath(), ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? done() : reject(failed(`npm ${args[0]} ended with code ${code}`))))
  })

/**
 * A directory is packed, and the tarball kept where plugins are: npm would link the directory, and of two packages that are linked oclif records only
 * the first.
 */
const pack = async (directory: string, dataDir: string): Promise<string> => {
  const name = installableName(directory)
  const destination = join(dataDir, 'packed', name)
  rmSync(destination, { recursive: true, force: true })
  mkdirSync(destination, { recursive: true })
  await npm(['pack', directory, '--pack-destination', destination, '--loglevel=error'])
  const [tarball] = readdirSync(destination)
  if (tarball === undefined) throw failed(`npm packed nothing of ${directory}`)
  return join(destination, tarball)
}

/** The arguments of `plugins install`, with local packages as URLs. @throws CLIError for what is not there. */
export const withLocalPackages = (argv: readonly string[], dataDir: string): Promise<string[]> =>
  Promise.all(
    argv.map(async (argument) => {
      if (!isLocal(argument)) return argument
      const path = resolve(argument)
      const found = statSync(path, { throwIfNoEntry: false })
      if (found === undefined) throw failed(`there is no package at ${argument}`)
      return `file:${found.isDirectory() ? await pack(path, dataDir) : path}`
    }),
  )
