import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { raft } from '@conclave/engine-raft'
import type { EngineFactory } from '@conclave/interface'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { initNode, type NodeConfig, startNode } from '../src/index.ts'

let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'conclave-engines-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const foreign: EngineFactory = { name: '@lab/raft', contract: 1, create: (init) => raft.create(init) }

/** Raft that writes down from whom its engine got messages. */
const listening = (heard: Set<string>): EngineFactory => ({
  name: 'raft',
  contract: 1,
  create: (init) => {
    const engine = raft.create(init)
    const { step } = engine
    return Object.assign(engine, {
      step: (...[input, now]: Parameters<typeof step>) => {
        if (input.type === 'receive') heard.add(input.from)
        step.call(engine, input, now)
      },
    })
  },
})

const refusal = (config: NodeConfig): Promise<{ code: string; message: string }> =>
  startNode(config).then(
    async (node) => {
      await node.close()
      throw new Error('it started')
    },
    (error) => error,
  )

describe('a data directory', () => {
  const config = () => ({ name: 'a', data: join(directory, 'a'), listen: '/ip4/127.0.0.1/tcp/0' })
  const record = () => join(directory, 'a', 'engine.json')

  test('keeps the engine that its journal was made with, whatever that is', async () => {
    await (await startNode({ ...config(), engine: foreign })).close()
    expect(await readFile(record(), 'utf8')).toBe('{"version":1,"engine":"@lab/raft"}\n')
    const { code, message } = await refusal({ ...config(), engine: 'raft' })
    expect(code).toBe('data-directory-refused')
    expect(message).toContain('was written by the engine "@lab/raft", and this node is to run "raft"')
    await (await startNode({ ...config(), engine: foreign })).close()
  })

  test('keeps one that comes with Conclave too', async () => {
    await (await startNode(config())).close()
    expect(await refusal({ ...config(), engine: foreign })).toMatchObject({ code: 'data-directory-refused' })
  })

  test('of the first release is taken for the engine that starts on it, if its journal is that one’s', async () => {
    const node = await startNode(config())
    await node.kv.put('greeting', 'hello')
    await node.close()
    await rm(record())
    expect(await refusal({ ...config(), engine: 'paxos' })).toMatchObject({
      code: 'engine-create-failed',
      message: expect.stringContaining('the engine "paxos" cannot start on this node\'s journal'),
    })
    await (await startNode(config())).close()
    expect(await readFile(record(), 'utf8')).toBe('{"version":1,"engine":"raft"}\n')
  })

  test('is not bound to an engine that could not start', async () => {
    const failing: EngineFactory = {
      name: 'failing',
      contract: 1,
      create: () => {
        throw new Error('not today')
      },
    }
    expect(await refusal({ ...config(), engine: failing })).toMatchObject({ code: 'engine-create-failed' })
    await (await startNode(config())).close()
  })

  test('with a record that is none is refused', async () => {
    await (await startNode(config())).close()
    await writeFile(record(), '{"version":2}')
    expect(await refusal(config())).toMatchObject({ code: 'data-directory-refused' })
  })
})

/** What a node logs, line by line. */
const lines = () => {
  const said: string[] = []
  const line = (_: object, message: string) => void said.push(message)
  return { said, logger: { debug: () => {}, info: line, warn: line, error: line } }
}

test('nodes with different engines refuse each other, say so, and no message of the one reaches the engine of the other', async () => {
  const heard = new Set<string>()
  const ids = {
    a: (await initNode({ name: 'a', data: join(directory, 'a') })).id,
    b: (await initNode({ name: 'b', data: join(directory, 'b') })).id,
  }
  const begin = (name: 'a' | 'b', members: Record<string, string>, more: Partial<NodeConfig>) =>
    startNode({ name, data: join(directory, name), listen: '/ip4/127.0.0.1/tcp/0', members, ...more })
  const [first, second] = [lines(), lines()]
  await using a = await begin(
    'a',
    { a: `/ip4/127.0.0.1/tcp/1/p2p/${ids.a}`, b: `/ip4/127.0.0.1/tcp/1/p2p/${ids.b}` },
    { engine: listening(heard), logger: first.logger },
  )
  await using b = await begin(
    'b',
    { a: a.addresses[0] ?? '', b: `/ip4/127.0.0.1/tcp/1/p2p/${ids.b}` },
    { engine: foreign, logger: second.logger },
  )
  await expect.poll(() => a.status().otherEngines).toEqual([{ id: b.id, name: 'b', engine: '@lab/raft' }])
  await expect.poll(() => b.status().otherEngines).toEqual([{ id: a.id, name: 'a', engine: 'raft' }])
  const told = 'all members of a cluster must run the same'
  expect(first.said).toContain(`b runs engine "@lab/raft", this node "raft": ${told}`)
  expect(second.said).toContain(`a runs engine "raft", this node "@lab/raft": ${told}`)
  // Both stand for election meanwhile.
  await expect.poll(() => a.status().role === 'follower' || b.status().role === 'follower').toBe(false)
  expect([...heard]).toEqual([])
  expect([a.status().leading, b.status().leading]).toEqual([false, false])
})
