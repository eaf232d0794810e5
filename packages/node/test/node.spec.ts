import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connect, textOf } from '@conclave/client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ConclaveNode, initNode, type NodeConfig, startNode } from '../src/index.ts'

let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'conclave-node-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

const configs = async (names: readonly string[]): Promise<NodeConfig[]> => {
  const members: Record<string, string> = {}
  const listen: Record<string, string> = {}
  for (const name of names) {
    const { id } = await initNode({ name, data: join(directory, name) })
    listen[name] = `/ip4/127.0.0.1/tcp/${await freePort()}`
    members[name] = `${listen[name]}/p2p/${id}`
  }
  return names.map((name) => ({ name, data: join(directory, name), listen: listen[name] ?? '', members }))
}

const leaderOf = (nodes: readonly ConclaveNode[]): Promise<ConclaveNode> =>
  new Promise((resolve) => {
    const look = (): void => {
      const found = nodes.find((node) => node.status().leading)
      if (found !== undefined) resolve(found)
    }
    for (const node of nodes) node.on('leader', () => setImmediate(look))
    look()
  })

describe('a node alone', () => {
  test('needs no members, and keeps what it was told', async () => {
    const config = { name: 'a', data: join(directory, 'a'), listen: '/ip4/127.0.0.1/tcp/0' }
    {
      await using node = await startNode(config)
      expect(await node.kv.put('greeting', 'hello')).toMatchObject({ done: true, revision: 1n })
      expect(node.addresses[0]).toContain(node.id)
    }
    await using node = await startNode(config)
    expect(textOf((await node.kv.get('greeting'))?.value ?? new Uint8Array())).toBe('hello')
    expect((await stat(join(directory, 'a', 'identity.key'))).mode & 0o777).toBe(0o600)
    expect(await readdir(join(directory, 'a'))).toContain('journal')
  })

  test('gives a client over the network files that are its own: what it does to them nobody else reads', async () => {
    await using node = await startNode({ name: 'a', data: join(directory, 'a'), listen: '/ip4/127.0.0.1/tcp/0' })
    await using client = await connect({ endpoints: node.addresses })
    await using session = await client.session()
    const text = 'x'.repeat(2000)
    await session.write('/ls/local/f', text)
    const first = await session.read('/ls/local/f')
    first?.contents.fill(0)
    expect((await session.read('/ls/local/f'))?.text).toBe(text)
  })

  test('refuses a second process on its directory, and other founders', async () => {
    const config = { name: 'a', data: join(directory, 'a'), listen: '/ip4/127.0.0.1/tcp/0' }
    const node = await startNode(config)
    await expect(startNode(config)).rejects.toMatchObject({ code: 'data-directory-in-use' })
    const { id } = node
    await node.close()
    const { id: other } = await initNode({ name: 'b', data: join(directory, 'b') })
    const members = { a: `/ip4/127.0.0.1/tcp/1/p2p/${id}`, b: `/ip4/127.0.0.1/tcp/2/p2p/${other}` }
    await expect(startNode({ ...config, members })).rejects.toThrow('founded with other members')
    const moved = await startNode({ ...config, members: { a: `/ip4/127.0.0.1/tcp/1/p2p/${id}` } })
    await moved.close()
  })

  test('says in one line that its port is taken', async () => {
    await using first = await startNode({ name: 'a', data: join(directory, 'a'), listen: '/ip4/127.0.0.1/tcp/0' })
    const [listen = ''] = first.addresses.map((address) => address.replace(/\/p2p\/.*/, ''))
    const second = startNode({ name: 'b', data: join(directory, 'b'), listen })
    await expect(second).rejects.toMatchObject({ code: 'listen-failed' })
    await expect(second).rejects.toThrow(/^cannot listen on \/ip4\/127\.0\.0\.1\/tcp\/\d+: EADDRINUSE: [^\n]*$/)
  })

  test('refuses a key without its journal', async () => {
    const config = { name: 'a', data: join(directory, 'a'), listen: '/ip4/127.0.0.1/tcp/0' }
    await (await startNode(config)).close()
    await rm(join(directory, 'a', 'journal'), { recursive: true })
    await expect(startNode(config)).rejects.toMatchObject({ code: 'data-directory-refused' })
  })

  test('refuses a member line that is not its own', async () => {
    const [config] = await configs(['a', 'b'])
    const members = { ...config?.members, a: config?.members?.b ?? '' }
    await expect(startNode({ ...(config as NodeConfig), members })).rejects.toThrow('members.a: names')
  })

  test('leaves the process free to end, prints nothing, and installs no signal handler', async () => {
    const source = fileURLToPath(new URL('../src/index.ts', import.meta.url))
    const config = JSON.stringify({ name: 'a', data: join(directory, 'a'), listen: '/ip4/127.0.0.1/tcp/0' })
    const program = `
      const { startNode } = await import(${JSON.stringify(source)})
      const node = await startNode(${config})
      await node.kv.put('a', '1')
      process.stderr.write(process.eventNames().filter((name) => String(name).startsWith('SIG')).join())
      await node.close()
    `
    const child = spawn(process.execPath, ['--conditions=@conclave/source', '--input-type=module', '-e', program])
    let printed = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (printed += text))
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect({ code, printed }).toEqual({ code: 0, printed: '' })
  })
})

describe('three nodes in one process', () => {
  test('serve the same store through any of them, and go on without their leader', async () => {
    const nodes = await Promise.all((await configs(['a', 'b', 'c'])).map((config) => startNode(config)))
    try {
      const leader = await leaderOf(nodes)
      for (const node of nodes) await node.kv.put(`by/${node.name}`, node.name)
      for (const node of nodes)
        expect((await node.kv.list({ prefix: 'by/', keysOnly: true })).entries.map(({ key }) => key)).toEqual([
          'by/a',
          'by/b',
          'by/c',
        ])
      await leader.close()
      const rest = nodes.filter((node) => node !== leader)
      for (const node of rest) expect(await node.kv.put('after', node.name)).toMatchObject({ done: true })
      expect(await leaderOf(rest)).not.toBe(leader)
    } finally {
      await Promise.all(nodes.map((node) => node.close()))
    }
  })

  test('tell a watcher at a follower every write, in order', async () => {
    const nodes = await Promise.all((await configs(['a', 'b', 'c'])).map((config) => startNode(config)))
    try {
      const leader = await leaderOf(nodes)
      const follower = nodes.find((node) => node !== leader) as ConclaveNode
      const watch = follower.kv.watch({ prefix: 'k', fromRevision: 1n, level: 'local' })
      const writes = Array.from({ length: 500 }, (_, at) => leader.kv.put(`k${at % 7}`, `${at}`))
      const seen: bigint[] = []
      for await (const event of watch) {
        seen.push(event.revision)
        if (seen.length === writes.length) break
      }
      await Promise.all(writes)
      expect(seen).toEqual(writes.map((_, at) => BigInt(at + 1)))
    } finally {
      await Promise.all(nodes.map((node) => node.close()))
    }
  })
})
