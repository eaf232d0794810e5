import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { paxos } from '@conclave/engine-paxos'
import { raft } from '@conclave/engine-raft'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { engineNames } from '../src/built-ins.ts'
import { loadConfig } from '../src/config.ts'
import { importEngine, loadEngine } from '../src/engine-loader.ts'
import { startNode } from '../src/node.ts'

let directory = ''
beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'conclave-engines-')))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

/** Files by path, below the directory of the test. */
const write = async (files: Readonly<Record<string, string | object>>): Promise<void> => {
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  }
}
const engine = (name: string, contract = 1): string =>
  `{ name: ${JSON.stringify(name)}, contract: ${contract}, create() { throw new Error('not today') } }`
const module = (name: string): string => `export default ${engine(name)}\n`
const load = (name: string, also: readonly string[] = []) => loadEngine(name, { from: directory, also })
const failure = (name: string, also?: readonly string[]): Promise<{ code: string; message: string }> =>
  load(name, also).then(
    () => Promise.reject(new Error('it was loaded')),
    (error) => error,
  )

test('the engines that come with Conclave are loaded by name', async () => {
  expect(await load('raft')).toBe(raft)
  expect(await load('paxos')).toBe(paxos)
  expect(await importEngine('raft', { from: directory })).toEqual({ factory: raft, place: 'raft', exports: {} })
})

describe('a path', () => {
  test.each(['./vsr.mjs', './sub/../vsr.mjs', 'ABSOLUTE'])('names a file: %s', async (path) => {
    await write({ 'vsr.mjs': module('vsr') })
    const name = path === 'ABSOLUTE' ? join(directory, 'vsr.mjs') : path
    const { factory, place } = await importEngine(name, { from: directory })
    expect([factory.name, place]).toEqual(['vsr', join(directory, 'vsr.mjs')])
  })

  test('may lead upwards', async () => {
    await write({ 'vsr.mjs': module('vsr') })
    expect((await loadEngine('../vsr.mjs', { from: join(directory, 'below') })).name).toBe('vsr')
  })

  test.each([
    ['exports for imports only', { exports: { import: './a.mjs' } }],
    ['exports by subpath', { exports: { '.': { types: './none.d.ts', default: './a.mjs' }, './b': './b.mjs' } }],
    ['nested conditions', { exports: { '.': { node: { require: './no.cjs', import: './a.mjs' } } } }],
    ['a list of targets', { exports: ['./a.mjs'] }],
    ['one target', { exports: './a.mjs' }],
    ['main', { main: 'a.mjs' }],
  ])('names the directory of a package: %s', async (_, manifest) => {
    await write({ 'vsr/package.json': { name: 'vsr', ...manifest }, 'vsr/a.mjs': module('vsr') })
    expect((await load('./vsr')).name).toBe('vsr')
  })

  test('names a package with index.js and nothing else', async () => {
    await write({ 'vsr/package.json': { type: 'module' }, 'vsr/index.js': module('vsr') })
    expect((await load('./vsr')).name).toBe('vsr')
  })

  test('that is not there is refused', async () => {
    expect(await failure('./none.js')).toMatchObject({
      code: 'engine-not-found',
      message: `there is no engine at ./none.js, seen from ${directory}. Conclave comes with ${engineNames.join(', ')}.`,
    })
  })
})

describe('the name of a package', () => {
  const esm = { exports: { import: './index.mjs' } }

  test.each(['vsr', '@lab/vsr'])('is looked up as an import would: %s', async (name) => {
    await write({
      [`node_modules/${name}/package.json`]: { name, ...esm },
      [`node_modules/${name}/index.mjs`]: module('vsr'),
    })
    const { factory, place } = await importEngine(name, { from: join(directory, 'deep', 'below') })
    expect([factory.name, place]).toEqual(['vsr', join(directory, 'node_modules', name)])
  })

  test('is found from where one stands first, then in the other places', async () => {
    const place = (at: string, calls: string) =>
      write({
        [`${at}/node_modules/vsr/package.json`]: esm,
        [`${at}/node_modules/vsr/index.mjs`]: module(calls),
      })
    await place('plugins', 'from-plugins')
    expect((await load('vsr', [join(directory, 'plugins')])).name).toBe('from-plugins')
    await place('.', 'from-here')
    expect((await load('vsr', [join(directory, 'plugins')])).name).toBe('from-here')
  })

  test('is found beside Conclave itself at last', async () => {
    expect(await failure('@conclave/engine-raft')).toMatchObject({ code: 'engine-name-taken' })
  })

  test('that is nowhere is refused with where it was looked for and how to install it', async () => {
    const { code, message } = await failure('vsr', ['/opt/plugins'])
    expect(code).toBe('engine-not-found')
    expect(message).toContain(`no package of this name was found from ${directory} or /opt/plugins`)
    expect(message).toContain('npm install vsr')
    expect(message).toContain('conclave plugins install vsr')
    expect(message).toContain('./vsr.js')
    expect(message).toContain('raft, paxos')
  })

  test.each(['', 'a b', 'https://example.org/vsr', 'vsr/sub/path', '@lab', 'constructor()'])(
    'that is none is refused: "%s"',
    async (name) => {
      expect(await failure(name)).toMatchObject({ code: 'engine-not-found', message: expect.stringContaining('path') })
    },
  )
})

describe('a module', () => {
  const exporting = async (text: string) => {
    await write({ 'engine.mjs': text })
    return './engine.mjs'
  }

  test('may name its engine instead of making it the default', async () => {
    const path = await exporting(
      `export const limits = {}\nexport const vsr = ${engine('vsr')}\nexport { vsr as other }`,
    )
    expect((await load(path)).name).toBe('vsr')
  })

  test('has its default export preferred', async () => {
    const path = await exporting(`export const a = ${engine('a')}\nexport default ${engine('b')}`)
    expect((await load(path)).name).toBe('b')
  })

  test('gives all its other exports along', async () => {
    const path = await exporting(`${module('vsr')}export const insight = { engine: 'vsr' }`)
    expect((await importEngine(path, { from: directory })).exports.insight).toEqual({ engine: 'vsr' })
  })

  test.each([
    ['nothing', 'export {}'],
    ['something else', 'export default { name: "vsr" }'],
    ['a factory without a contract', 'export default { name: "vsr", create() {} }'],
    ['null', 'export default null'],
  ])('that exports %s is refused', async (_, text) => {
    expect(await failure(await exporting(text))).toMatchObject({
      code: 'no-engine',
      message: expect.stringContaining('EngineFactory: { name, contract: 1, create }'),
    })
  })

  test('that exports several engines is refused', async () => {
    const path = await exporting(`export const a = ${engine('a')}\nexport const b = ${engine('b')}`)
    expect(await failure(path)).toMatchObject({
      code: 'no-engine',
      message: expect.stringContaining('several engines: a, b'),
    })
  })

  test.each(['', 'my engine', 'x'.repeat(64)])('whose engine has an unfit name is refused: "%s"', async (name) => {
    expect(await failure(await exporting(module(name)))).toMatchObject({
      code: 'no-engine',
      message: expect.stringContaining('1 to 63 characters'),
    })
  })

  test('for another contract is refused with both versions', async () => {
    const { code, message } = await failure(await exporting(`export default ${engine('vsr', 2)}`))
    expect(code).toBe('engine-contract')
    expect(message).toContain('"vsr"')
    expect(message).toContain('written for version 2 of the contract, and this build of Conclave speaks 1')
  })

  test('that throws while it is loaded is refused with what it threw', async () => {
    expect(await failure(await exporting('throw new Error("no table of primes")'))).toMatchObject({
      code: 'engine-import-failed',
      message: `the engine in ${join(directory, 'engine.mjs')} failed while it was loaded: no table of primes`,
    })
  })

  test('that does not parse, or imports what is not there, is refused alike', async () => {
    expect(await failure(await exporting('export default {'))).toMatchObject({ code: 'engine-import-failed' })
    await write({ 'other.mjs': 'import "not-installed"' })
    const { code, message } = await failure('./other.mjs')
    expect([code, message]).toEqual(['engine-import-failed', expect.stringContaining('not-installed')])
  })

  test.each(['raft', 'paxos'])('that calls itself %s is refused', async (name) => {
    const { code, message } = await failure(await exporting(module(name)))
    expect(code).toBe('engine-name-taken')
    expect(message).toContain('give it another name')
  })
})

describe('the directory of a package', () => {
  test.each<[string, Record<string, string | object>, string]>([
    ['without a manifest', { 'vsr/index.js': '' }, 'is no package'],
    ['whose manifest does not parse', { 'vsr/package.json': '{' }, 'is no package'],
    [
      'that exports nothing to an import',
      { 'vsr/package.json': { exports: { require: './a.cjs' } } },
      'exports nothing',
    ],
    ['that is not built', { 'vsr/package.json': { exports: './dist/index.js' } }, 'Is it built?'],
    ['with nothing in it', { 'vsr/package.json': {} }, 'Is it built?'],
  ])('%s is refused', async (_, files, message) => {
    await write(files)
    expect(await failure('./vsr')).toMatchObject({ code: 'no-engine', message: expect.stringContaining(message) })
  })
})

describe('a configuration file', () => {
  test('names paths and packages from where it is', async () => {
    await write({
      'etc/vsr.mjs': module('vsr'),
      'etc/node_modules/lab/package.json': { main: 'a.mjs' },
      'etc/node.yaml': 'name: a\ndata: a\nlisten: /ip4/127.0.0.1/tcp/0\nengine: ./vsr.mjs\n',
      'etc/package.yaml': 'name: a\ndata: a\nlisten: /ip4/127.0.0.1/tcp/0\nengine: lab\n',
      'etc/none.yaml': 'name: a\ndata: a\nlisten: /ip4/127.0.0.1/tcp/0\nengine: ../none.mjs\n',
      'etc/unknown.yaml': 'name: a\ndata: a\nlisten: /ip4/127.0.0.1/tcp/0\nengine: vsr\n',
    })
    const engineOf = async (file: string) => (await loadConfig(join(directory, 'etc', file))).engine
    expect(await engineOf('node.yaml')).toBe(join(directory, 'etc/vsr.mjs'))
    expect(await engineOf('package.yaml')).toBe(join(directory, 'etc/node_modules/lab'))
    expect(await engineOf('none.yaml')).toBe(join(directory, 'none.mjs'))
    expect(await engineOf('unknown.yaml')).toBe('vsr')
  })
})

describe('a node', () => {
  const config = () => ({ name: 'a', data: join(directory, 'data'), listen: '/ip4/127.0.0.1/tcp/0' })

  test('whose engine does not exist does not start, and makes nothing', async () => {
    await expect(startNode({ ...config(), engine: join(directory, 'none.js') })).rejects.toMatchObject({
      code: 'engine-not-found',
    })
    await expect(realpath(config().data)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('whose engine throws when it is made does not start, and names it', async () => {
    await write({ 'vsr.mjs': module('vsr') })
    await expect(startNode({ ...config(), engine: join(directory, 'vsr.mjs') })).rejects.toMatchObject({
      code: 'engine-create-failed',
      message: `the engine "vsr" cannot start on this node's journal: not today`,
    })
  })

  test('whose engine makes something else does not start either', async () => {
    await write({ 'vsr.mjs': 'export default { name: "vsr", contract: 1, create: () => ({ step() {} }) }' })
    await expect(startNode({ ...config(), engine: join(directory, 'vsr.mjs') })).rejects.toMatchObject({
      code: 'engine-create-failed',
      message: expect.stringContaining('what it makes is no Engine'),
    })
  })

  test('runs an engine that is named by its path', async () => {
    await write({
      'my-raft.mjs':
        'export const create = (init) => globalThis.conclaveTestRaft.create(init)\nexport default { name: "my-raft", contract: 1, create }',
    })
    Object.assign(globalThis, { conclaveTestRaft: raft })
    await using node = await startNode({ ...config(), engine: join(directory, 'my-raft.mjs') })
    await node.kv.put('greeting', 'hello')
    expect((await node.kv.get('greeting'))?.value).toEqual(new TextEncoder().encode('hello'))
    expect(node.status().engine).toBe('my-raft')
  })
})
