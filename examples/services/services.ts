/**
 * Instances of a service, and somebody who follows them: while a leader dies, an instance is stopped, and the whole cluster is away.
 *
 *   npx node examples/services/services.ts
 */
import { followService, keepRegistered, type ServiceList } from '@conclave/client/recipes'
import { testCluster } from '@conclave/testing'

await using cluster = await testCluster({ nodes: 3 })
const leader = await cluster.waitForLeader()
// One instance lives in the process of a node, and stops with it.
const home = cluster.nodes.find((node) => node !== leader) ?? leader
const client = await cluster.client()

const listText = ({ instances, ...list }: ServiceList): string => {
  const found = instances.map(({ address, health }) => `${address} ${health}`).join(', ')
  return `${found || 'nobody'}${list.stale ? ` (stale: ${list.reason})` : ''}`
}

// A short ttl, so that this program does not take long.
await using follower = followService(client, 'web', { ttl: '1s' })
follower.onChange((list) => console.log(`  the list: ${listText(list)}`))
const until = async (holds: (list: ServiceList) => boolean): Promise<void> => {
  for await (const list of follower) if (holds(list)) return
}

console.log('two instances are registered')
await using first = keepRegistered(client, 'web', { address: '10.0.0.1:80', health: 'failing' }, { ttl: '1s' })
await using _ = keepRegistered(home.client, 'web', { address: '10.0.0.2:80' }, { ttl: '1s' })
await until(({ instances }) => instances.length === 2)

console.log('the first one works now')
first.update({ health: 'passing' })
await until(({ instances }) => instances.every(({ health }) => health === 'passing'))

console.log('the leader dies')
await leader.kill()
await cluster.waitForLeader()
await leader.restart()
console.log(`  the list is what it was: ${follower.current?.instances.length} instances`)

console.log('the second instance is stopped: it goes when its lease is over')
home.pause()
await until(({ instances, stale }) => instances.length === 1 && !stale)

console.log('it goes on, and registers again')
home.resume()
await until(({ instances }) => instances.length === 2)

console.log('the cluster is away')
for (const node of cluster.nodes) node.pause()
await until(({ stale }) => stale)

console.log('the cluster is back')
for (const node of cluster.nodes) node.resume()
await until(({ stale }) => !stale)

console.log('the first instance is deregistered')
await first.close()
await until(({ instances }) => instances.length === 1)
