import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { engineNames } from '../src/built-ins.ts'
import { loadConfig, parseSize, resolveConfig } from '../src/config.ts'
import { InvalidConfig } from '../src/errors.ts'

const id = '12D3KooWMSRKMNyuuzRBRmdsqBFnd7BkS5bdkUJ1kmTVwhLn9qr4'
const good = {
  name: 'n1',
  data: '/tmp/n1',
  listen: '/ip4/127.0.0.1/tcp/0',
  members: { n1: `/ip4/127.0.0.1/tcp/7400/p2p/${id}` },
}

const problemsOf = (config: unknown): readonly string[] => {
  try {
    resolveConfig(config as Parameters<typeof resolveConfig>[0])
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidConfig)
    return (error as InvalidConfig).problems
  }
  return []
}

describe('a configuration', () => {
  test('gets its defaults', () => {
    expect(resolveConfig(good)).toMatchObject({
      cluster: 'conclave',
      engine: 'raft',
      profile: 'lan',
      durability: 'disk',
      snapshotBytes: 64 * 1024 * 1024,
      insecureClients: false,
      listen: ['/ip4/127.0.0.1/tcp/0'],
    })
  })

  test('with a wrong key names the key, what was meant, and the allowed ones', () => {
    const [problem = ''] = problemsOf({ ...good, listn: 'x' })
    expect(problem).toContain('unknown key "listn" (did you mean "listen"?)')
    expect(problem).toContain('members, join, engine, profile')
  })

  test('with a wrong value names the key and the allowed values', () => {
    expect(problemsOf({ ...good, profile: 'man' })).toEqual(['profile: must be one of "lan", "wan"'])
    expect(problemsOf({ ...good, engine: '' })).toEqual(['engine: must be the name of an engine, a path or a package'])
    expect(problemsOf({ ...good, durability: 'maybe' })).toEqual(['durability: must be one of "disk", "memory"'])
    expect(problemsOf({ ...good, snapshotBytes: 'big' })[0]).toContain('snapshotBytes: must be a size')
  })

  test('with a missing key says so', () => {
    const { data: _, ...without } = good
    expect(problemsOf(without)).toEqual(['data: is missing: expected string'])
  })

  test('names every problem at once', () => {
    expect(problemsOf({ ...good, listen: 'here', name: 'a b' })).toHaveLength(2)
  })

  test('needs member addresses that carry an id', () => {
    expect(problemsOf({ ...good, members: { n1: '/ip4/127.0.0.1/tcp/7400' } })[0]).toContain(
      'members.n1: must be a multiaddr with a peer id',
    )
  })

  test('takes no port that does not exist', () => {
    expect(problemsOf({ ...good, listen: '/ip4/127.0.0.1/tcp/70000' })[0]).toContain('port of at most 65535')
    expect(problemsOf({ ...good, members: { n1: `/ip4/127.0.0.1/tcp/70000/p2p/${id}` } })[0]).toContain('at most 65535')
  })

  test('must have the node itself among its members', () => {
    expect(problemsOf({ ...good, name: 'n2' })).toEqual(['members: must hold this node itself, "n2"; it has n1'])
  })

  test('without members is that of a node alone', () => {
    const { members: _, ...alone } = good
    expect(resolveConfig(alone).members).toBeUndefined()
  })
})

describe('a configuration file', () => {
  let directory = ''
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'conclave-config-'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  test.each([
    ['node.yaml', `name: n1\ndata: data\nlisten: /ip4/127.0.0.1/tcp/0\nsnapshotBytes: 64KiB\n`],
    ['node.json', JSON.stringify({ name: 'n1', data: 'data', listen: ['/ip4/127.0.0.1/tcp/0'], snapshotBytes: 65536 })],
  ])('%s is read, and its data directory is relative to it', async (name, text) => {
    const file = join(directory, name)
    await writeFile(file, text)
    expect(await loadConfig(file)).toMatchObject({ data: join(directory, 'data'), snapshotBytes: 65_536 })
  })

  test('that is not there, or does not parse, is named', async () => {
    await expect(loadConfig(join(directory, 'none.yaml'))).rejects.toThrow('none.yaml')
    await writeFile(join(directory, 'bad.yaml'), 'a: [')
    await expect(loadConfig(join(directory, 'bad.yaml'))).rejects.toThrow('bad.yaml')
  })
})

test('sizes have units', () => {
  expect([parseSize('12'), parseSize('1KiB'), parseSize('1.5 MiB'), parseSize('1 kb'), parseSize('')]).toEqual([
    12,
    1024,
    1_572_864,
    undefined,
    undefined,
  ])
})

describe('what is no configuration at all', () => {
  test.each([
    ['nothing', null, 'must be an object'],
    ['text', 'node.yaml', 'must be an object'],
    ['a list', [good], 'must be an object'],
    [
      'an engine that is none',
      { ...good, engine: {} },
      `engine: must be one of ${engineNames.join(', ')}, a path, a package, or an EngineFactory of contract 1`,
    ],
    [
      'no engine',
      { ...good, engine: null },
      `engine: must be one of ${engineNames.join(', ')}, a path, a package, or an EngineFactory of contract 1`,
    ],
    [
      'an engine of another contract',
      { ...good, engine: { name: 'x', contract: 2, create: () => {} } },
      'engine: must',
    ],
    ['a logger that is none', { ...good, logger: {} }, 'logger: lacks debug, info, warn, error'],
    ['half a logger', { ...good, logger: { info: () => {}, warn: () => {} } }, 'logger: lacks debug, error'],
    ['no logger', { ...good, logger: null }, 'logger: lacks'],
  ])('is told as such: %s', (_, config, problem) => {
    expect(problemsOf(config)).toHaveLength(1)
    expect(problemsOf(config)[0]).toContain(problem)
  })
})

describe('a node that joins', () => {
  test('names members that are there; its own line may stand among them', () => {
    const other = good.members.n1
    expect(resolveConfig({ ...good, name: 'n4', join: true })).toMatchObject({ join: true })
    expect(resolveConfig({ ...good, join: true, members: { ...good.members, n2: other } }).members).toHaveProperty('n2')
  })

  test('needs somebody to join', () => {
    const needs = ['members: must hold at least one present member of the cluster to join']
    expect(problemsOf({ ...good, join: true })).toEqual(needs)
    expect(problemsOf({ name: 'n4', data: '/tmp/n4', listen: good.listen, join: true })).toEqual(needs)
  })
})
