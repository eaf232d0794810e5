/**
 * Three nodes inside one program, each with a data directory of its own: what an application does on three hosts, in one file.
 *
 *   node examples/embed/embed.ts [DIRECTORY]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { textOf } from '@conclave/client'
import { initNode, startNode } from '@conclave/node'
import { freePort } from '../free-port.ts'

const directory = process.argv[2] ?? (await mkdtemp(join(tmpdir(), 'conclave-embed-')))

// Each host makes its identity once. What it prints goes into everybody's configuration.
const members: Record<string, string> = {}
for (const name of ['a', 'b', 'c']) {
  const { id } = await initNode({ name, data: join(directory, name) })
  members[name] = `/ip4/127.0.0.1/tcp/${await freePort()}/p2p/${id}`
}

const nodes = await Promise.all(
  Object.entries(members).map(([name, address]) =>
    startNode({ name, data: join(directory, name), listen: address.slice(0, address.indexOf('/p2p/')), members }),
  ),
)

// Any node's store is the cluster's store: it finds the leader by itself.
const [a, b] = nodes
const written = await a?.kv.put('greeting', 'hello')
const entry = await b?.kv.get('greeting')
console.log(`a wrote revision ${written?.revision}; b reads "${entry && textOf(entry.value)}"`)

// Compare and swap: of two writers that read the same revision, one is told that it was too late.
const swaps = await Promise.all(
  nodes.map((node) => node.kv.put('greeting', `from ${node.name}`, { ifRevision: entry?.modRevision })),
)
console.log(`${swaps.filter((swap) => swap.done).length} of ${swaps.length} swaps were done`)

await Promise.all(nodes.map((node) => node.close()))
if (process.argv[2] === undefined) await rm(directory, { recursive: true })
