/**
 * A test of an application's own code on a cluster in this process: it loses its leader in mid-work, and counts right all the same.
 *
 *   node examples/test-cluster/count-visits.ts
 */
import assert from 'node:assert/strict'
import { type Kv, textOf } from '@conclave/client'
import { testCluster } from '@conclave/testing'

/** The code under test: adds one to a number that others change as well. */
const increment = async (kv: Kv, key: string): Promise<void> => {
  for (;;) {
    const entry = await kv.get(key)
    const next = Number(entry ? textOf(entry.value) : 0) + 1
    const swap = await kv.put(key, String(next), { ifRevision: entry?.modRevision ?? 0n })
    if (swap.done) return
  }
}

await using cluster = await testCluster({ nodes: 3 })
const clients = await Promise.all([cluster.client(), cluster.client(), cluster.client()])
const working = clients.map(async ({ kv }) => {
  for (let done = 0; done < 20; done++) await increment(kv, 'visits')
})
const leader = await cluster.waitForLeader()
await leader.kill()
await Promise.all(working)

const entry = await clients[0]?.kv.get('visits')
assert.equal(entry && textOf(entry.value), '60')
const next = await cluster.waitForLeader()
console.log(`60 visits were counted, under ${new Set([leader, next]).size} leaders`)
