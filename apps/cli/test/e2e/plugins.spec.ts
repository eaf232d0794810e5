import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Ended, inDirectory, run, status } from './cli.ts'

const raft = JSON.stringify(new URL('../../../../packages/engine-raft/src/index.ts', import.meta.url).href)

/** A package with an engine that this build has never heard of. */
const writePackage = async (directory: string, name: string, more: object = { oclif: {} }): Promise<void> => {
  const manifest = { name, version: '1.0.0', type: 'module', exports: { import: './index.js' }, ...more }
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'package.json'), JSON.stringify(manifest))
  const create = '(init) => raft.create(init)'
  const text = `import { raft } from ${raft}\nexport default { name: '${name}', contract: 1, create: ${create} }\n`
  await writeFile(join(directory, 'index.js'), text)
}

/** A command whose plugins are in `cwd`, and which reaches no registry. */
const conclave = (cwd: string, ...args: string[]): Promise<Ended> =>
  run(cwd, args, {
    CONCLAVE_DATA_DIR: join(cwd, 'plugins'),
    npm_config_cache: join(cwd, 'npm'),
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false',
  })

describe('conclave plugins', { timeout: 120_000 }, () => {
  test('installs an engine from a directory, for use by the name of its package', () =>
    inDirectory(async (cwd) => {
      await writePackage(join(cwd, 'one'), 'lab-raft')
      const installed = await conclave(cwd, 'plugins', 'install', './one')
      expect([installed.code, installed.stderr]).toEqual([0, expect.stringContaining('installed v1.0.0')])
      const up = await conclave(cwd, 'up', '-d', '-n', '1', '--engine', 'lab-raft')
      expect([up.code, up.stderr]).toEqual([0, ''])
      expect((await status(cwd)).nodes[0]?.status?.engine).toBe('lab-raft')
      const config = await readFile(join(cwd, '.conclave/n1/config.yaml'), 'utf8')
      expect(config).toContain(`engine: ${join(cwd, 'plugins/node_modules/lab-raft')}`)
      expect((await run(cwd, ['kv', 'put', 'greeting', 'hello'])).stdout).toBe('revision 1\n')
    }))

  test('installs several, a scoped one and a tarball among them, lists and uninstalls them', () =>
    inDirectory(async (cwd) => {
      await writePackage(join(cwd, 'one'), 'lab-raft')
      await writePackage(join(cwd, 'two'), '@lab/other')
      expect((await conclave(cwd, 'plugins', 'install', './one', join(cwd, 'two'))).code).toBe(0)
      expect((await conclave(cwd, 'plugins')).stdout).toBe('@lab/other 1.0.0\nlab-raft 1.0.0\n')
      await cp(join(cwd, 'plugins/packed/lab-raft/lab-raft-1.0.0.tgz'), join(cwd, 'lab-raft.tgz'))
      expect((await conclave(cwd, 'plugins', 'uninstall', 'lab-raft')).code).toBe(0)
      expect((await conclave(cwd, 'simulate', '--engine', 'lab-raft', '--seed', '1')).stderr).toContain(
        `no package of this name was found from ${cwd} or ${join(cwd, 'plugins')}`,
      )
      expect((await conclave(cwd, 'plugins', 'install', 'lab-raft.tgz')).code).toBe(0)
      expect((await conclave(cwd, 'plugins')).stdout).toBe('@lab/other 1.0.0\nlab-raft 1.0.0\n')
      const simulated = await conclave(cwd, 'simulate', '--engine', '@lab/other', '--seed', '1')
      expect([simulated.code, simulated.stderr]).toEqual([0, ''])
    }))

  test('takes what has changed in a directory when it is installed again', () =>
    inDirectory(async (cwd) => {
      await writePackage(join(cwd, 'one'), 'lab-raft')
      await conclave(cwd, 'plugins', 'install', './one')
      await writeFile(join(cwd, 'one/index.js'), 'export default 2\n')
      await conclave(cwd, 'plugins', 'install', './one')
      expect(await readFile(join(cwd, 'plugins/node_modules/lab-raft/index.js'), 'utf8')).toBe('export default 2\n')
    }))

  test('refuses a directory that it would not take, and says what to add', () =>
    inDirectory(async (cwd) => {
      await writePackage(join(cwd, 'plain'), 'plain', {})
      const plain = await conclave(cwd, 'plugins', 'install', './plain')
      expect(plain.code).toBe(2)
      expect(plain.stderr).toContain('Add "oclif": {} to')
      for (const [path, problem] of [
        ['./none', 'there is no package at ./none'],
        ['.', 'is no package'],
      ] as const) {
        const refused = await conclave(cwd, 'plugins', 'install', path)
        expect([refused.code, refused.stderr.replace(/\s+(?:›\s+)?/g, ' ')]).toEqual([
          2,
          expect.stringContaining(problem),
        ])
      }
    }))
})
