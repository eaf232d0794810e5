import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FsTree } from 'nx/src/generators/tree'
import { describe, expect, test } from 'vitest'
import { balancer, engine } from '../src/generators.ts'
import { Refusal } from '../src/refusal.ts'
import type { Options } from '../src/scaffold.ts'
import { repository } from './temporary-workspace.ts'

/** The real workspace. Nothing is written to it: a tree keeps its changes until somebody flushes them. */
const workspace = (): FsTree => new FsTree(repository, false)

const refuses = (tree: FsTree, options: Options): string => {
  const before = tree.listChanges()
  let refused: unknown
  try {
    engine(tree, options)
  } catch (error) {
    refused = error
  }
  expect(refused).toBeInstanceOf(Refusal)
  expect(tree.listChanges()).toEqual(before)
  return (refused as Refusal).message
}

describe('a name', () => {
  test.each(['', 'My-Algo', 'my_algo', '2pc', 'a--b', 'a-', '../a', 'a b', 'ä'])('cannot be "%s"', (name) => {
    expect(refuses(workspace(), { name })).toMatch(/is no name for a plug-in: lower-case letters .* such as my-algo$/)
  })

  test('has at most 32 characters, as in configurations and snapshots', () => {
    expect(refuses(workspace(), { name: 'a'.repeat(33) })).toMatch(/has 33 characters; a name has at most 32/)
  })

  test('does not repeat the kind', () => {
    expect(refuses(workspace(), { name: 'engine-mine' })).toBe('leave the kind out of the name: mine makes engine-mine')
    expect(() => balancer(workspace(), { name: 'engine-first' })).not.toThrow()
  })

  test('that is there already is refused, and what is there stays', () => {
    expect(refuses(workspace(), { name: 'paxos' })).toMatch(/^packages\/engine-paxos is there already and not empty/)
  })

  test('of something that comes with Conclave is refused outside of the workspace too', () => {
    expect(refuses(workspace(), { name: 'paxos', directory: join(tmpdir(), 'somewhere') })).toMatch(
      /^Conclave has engine-paxos itself: choose another name/,
    )
  })

  test('is refused the second time', () => {
    const tree = workspace()
    engine(tree, { name: 'mine' })
    expect(refuses(tree, { name: 'mine' })).toMatch(/^packages\/engine-mine is there already and not empty/)
  })

  test('of a package that stands in another folder is refused', () => {
    const tree = workspace()
    tree.write('apps/mine/package.json', '{ "name": "@conclave/engine-mine" }')
    expect(refuses(tree, { name: 'mine' })).toBe(
      'apps/mine is named @conclave/engine-mine already: choose another name',
    )
  })
})

test.each(['.', '..', 'mine', 'tools/engine-mine', 'packages/mine', 'packages/engine-mine/inner', 'packages/../x'])(
  'the directory "%s" is no place for an engine',
  (directory) => {
    expect(refuses(workspace(), { name: 'mine', directory })).toMatch(
      /is no place for this: .*, such as packages\/engine-mine$/,
    )
  },
)

test('another directory among the packages names the package', () => {
  const tree = workspace()
  engine(tree, { name: 'mine', directory: `${repository}/packages/engine-other/` })
  expect(JSON.parse(tree.read('packages/engine-other/package.json', 'utf8') ?? '')).toMatchObject({
    name: '@conclave/engine-other',
    scripts: { test: 'vitest run --root ../.. --project engine-other' },
  })
})

test.each(['', 'two\nlines', 'a comment that ends */ here', 'x'.repeat(201)])(
  'the description %j is refused',
  (description) => {
    expect(refuses(workspace(), { name: 'mine', description })).toMatch(/^a description is one line of 1 to 200/)
  },
)

test('a description stands in the manifest, the README and the documentation as it was given', () => {
  const tree = workspace()
  engine(tree, { name: 'mine', description: 'Fast & "safe" <enough>.' })
  for (const file of ['README.md', 'src/index.ts'])
    expect(tree.read(`packages/engine-mine/${file}`, 'utf8')).toContain('Fast & "safe" <enough>.')
  expect(tree.read('packages/engine-mine/package.json', 'utf8')).toContain('"Fast & \\"safe\\" <enough>."')
})

test('a package has the versions of its neighbours, and is known to both type checks, once', () => {
  const tree = workspace()
  engine(tree, { name: 'mine' })
  const manifest = (name: string) => JSON.parse(tree.read(`packages/${name}/package.json`, 'utf8') ?? '')
  const { version, license, engines, exports, files } = manifest('engine-paxos')
  const dependencies = { '@conclave/interface': version, '@conclave/quorum': version }
  expect(manifest('engine-mine')).toMatchObject({ version, license, engines, exports, files, dependencies })
  for (const path of ['tsconfig.json', 'tsconfig.tests.json']) {
    const { references } = JSON.parse(tree.read(path, 'utf8') ?? '') as { references: { path: string }[] }
    expect(references.filter(({ path }) => path === 'packages/engine-mine')).toHaveLength(1)
  }
})

test('references that are not the last thing in their file are left to people', () => {
  const tree = workspace()
  tree.write('tsconfig.json', '{ "references": [], "include": ["src"] }')
  expect(() => engine(tree, { name: 'mine' })).toThrow(/^tsconfig.json does not end with its "references": add /)
})

test('a folder that is no workspace of Conclave is refused', () => {
  const folder = mkdtempSync(join(tmpdir(), 'elsewhere-'))
  try {
    expect(refuses(new FsTree(folder, false), { name: 'mine' })).toMatch(/this generator runs in a clone of/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
