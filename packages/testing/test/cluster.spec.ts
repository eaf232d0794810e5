import { textOf } from '@conclave/client'
import { describe, expect, test } from 'vitest'
import { testCluster } from '../src/index.ts'

describe('a test cluster', () => {
  test('serves the store to clients, and goes on without its leader', async () => {
    await using cluster = await testCluster({ nodes: 3 })
    const client = await cluster.client()
    expect(await client.kv.put('greeting', 'hello')).toMatchObject({ done: true, revision: 1n })
    const first = await cluster.waitForLeader()
    await first.kill()
    const entry = await client.kv.get('greeting')
    expect(entry && textOf(entry.value)).toBe('hello')
    const second = await cluster.waitForLeader()
    expect(second.name).not.toBe(first.name)
  })
})
