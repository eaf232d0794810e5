import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConclaveNode, initNode, startNode } from '@conclave/node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Client, connect, textOf } from '../src/index.ts'

const names = ['a', 'b', 'c']
let directory = ''
let members: Record<string, string> = {}
let nodes: ConclaveNode[] = []
let client: Client

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'conclave-client-'))
  const lines = await Promise.all(
    names.map(async (name) => {
      const { id } = await initNode({ name, data: join(directory, name) })
      return [name, `/ip4/127.0.0.1/tcp/${await freePort()}/p2p/${id}`] as const
    }),
  )
  members = Object.fromEntries(lines)
  nodes = await Promise.all(
    lines.map(([name, address]) => {
      const listen = address.slice(0, address.indexOf('/p2p/'))
      return startNode({ name, data: join(directory, name), listen, members })
    }),
  )
  client = await connect({ endpoints: [members.a ?? ''] })
})

afterAll(async () => {
  await client?.close()
  await Promise.all(nodes.map((node) => node.close()))
  await rm(directory, { recursive: true, force: true })
})

test('one endpoint is enough to use the whole cluster, encrypted', async () => {
  expect(await client.kv.put('greeting', 'hello')).toMatchObject({ done: true, previous: 0n })
  const entry = await client.kv.get('greeting')
  expect(entry && textOf(entry.value)).toBe('hello')
  expect(client.members().map(({ name }) => name)).toEqual(names)
  const status = await client.status()
  expect(status.every(({ reachable }) => reachable)).toBe(true)
  expect(status.filter((member) => member.reachable && member.status.leading)).toHaveLength(1)
})

test('the client inside a node and one outside see the same store', async () => {
  for (const [index, node] of nodes.entries()) await node.kv.put(`from-${index}`, node.name)
  const page = await client.kv.list({ prefix: 'from-' })
  expect(page.entries.map(({ value }) => textOf(value))).toEqual(names)
})

test('large values and many at once arrive whole', async () => {
  const value = new Uint8Array(1024 * 1024).map((_, i) => i % 251)
  await Promise.all(Array.from({ length: 12 }, (_, i) => client.kv.put(`large-${i}`, value)))
  let seen = 0
  for await (const entry of client.kv.entries({ prefix: 'large-' })) {
    expect(Buffer.compare(entry.value, value)).toBe(0)
    seen += 1
  }
  expect(seen).toBe(12)
})

test('writes and a watch go on when the leader goes, each write once', async () => {
  const before = await client.kv.revision()
  const watched: bigint[] = []
  const watch = client.kv.watch({ prefix: 'w' })
  const total = 2000
  const watching = (async () => {
    for await (const { revision } of watch) if (watched.push(revision) === total) break
  })()
  // The watch begins at the revision of now.
  await client.kv.revision()
  let next = 0
  const writer = async (): Promise<void> => {
    while (next < total) {
      const index = next++
      if (index === total / 2) await nodes.find(({ id }) => id === client.leader().id)?.close()
      await client.kv.put(`w${index}`, 'v', { timeout: 30_000 })
    }
  }
  await Promise.all(Array.from({ length: 16 }, writer))
  const after = await client.kv.revision()
  expect(after - before).toBe(BigInt(total))
  await watching
  expect(watched).toEqual(Array.from({ length: total }, (_, i) => before + BigInt(i + 1)))
})
