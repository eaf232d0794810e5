/**
 * A cluster of three processes loses its leader to SIGKILL while a program writes. The program notices nothing but a pause.
 *
 *   node examples/failover/failover.ts
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@conclave/client'
import { initNode, type NodeConfig, startNode } from '@conclave/node'
import { freePort } from '../free-port.ts'

if (process.argv[2] !== undefined) {
  // A node process: it runs until its parent ends it, or is gone.
  const node = await startNode(JSON.parse(process.argv[2]) as NodeConfig)
  process.on('disconnect', () => void node.close().then(() => process.exit(0)))
  process.send?.('started')
} else await main()

async function main(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'conclave-failover-'))
  const members: Record<string, string> = {}
  for (const name of ['a', 'b', 'c']) {
    const { id } = await initNode({ name, data: join(directory, name) })
    members[name] = `/ip4/127.0.0.1/tcp/${await freePort()}/p2p/${id}`
  }
  const processes = new Map<string, ChildProcess>()
  for (const [name, address] of Object.entries(members)) {
    const config: NodeConfig = {
      name,
      data: join(directory, name),
      listen: address.slice(0, address.indexOf('/p2p/')),
      members,
    }
    const child = fork(import.meta.filename, [JSON.stringify(config)])
    processes.set(address.slice(address.lastIndexOf('/') + 1), child)
    await once(child, 'message')
  }

  const client = await connect({ endpoints: Object.values(members) })
  const first = await client.kv.put('counter', '0')
  let longest = 0
  const writes = 2_000
  for (let i = 1; i <= writes; i++) {
    if (i === writes / 2) {
      const { id } = await client.leader()
      console.log(`write ${i}: killing the leader, ${id}`)
      processes.get(id ?? '')?.kill('SIGKILL')
    }
    const begin = performance.now()
    await client.kv.put('counter', String(i))
    longest = Math.max(longest, performance.now() - begin)
  }

  const last = await client.kv.get('counter')
  console.log(`${writes} writes done; the longest took ${Math.round(longest)} ms`)
  console.log(
    `the revision rose by ${(last?.modRevision ?? 0n) - first.revision}: every write was applied exactly once`,
  )

  await client.close()
  for (const child of processes.values()) if (child.connected) child.disconnect()
  await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  process.exit(0)
}
