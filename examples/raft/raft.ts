/**
 * Raft in five servers, message by message, in the words of the paper (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm",
 * extended version, 2014): an election, replication, the death of the leader with an entry on its way, and its return.
 *
 *   npx node examples/raft/raft.ts
 */
import { raft } from '@conclave/engine-raft'
import { type Engine, type Input, type Monotonic, type NodeId, requestId, seededRandom } from '@conclave/interface'
import { Disk, ids, Stage, setting } from '../stage.ts'

const stage = new Stage(
  (message) => raft.describe?.(message),
  [
    { begins: 'pre-vote last', means: 'Would you vote for me? Changes nothing (dissertation, 9.6)' },
    { begins: 'candidate', means: 'a new term, and a vote for itself' },
    { begins: 'vote last', means: 'RequestVote: my log ends with this index/term' },
    { begins: 'vote granted', means: 'one vote a term, and on disk before it is sent' },
    { begins: 'leader', means: 'a majority has voted for it' },
    {
      begins: 'append nothing',
      means: 'AppendEntries without entries: is this index/term in your log?',
      show: 'once a chapter',
    },
    { begins: 'append', means: 'AppendEntries: behind this index/term' },
    { begins: 'match', means: 'on my disk, up to this index' },
    { begins: 'commits', means: 'the leader: a majority has it; others: the leader says so' },
    { begins: 'heartbeat answered', means: '', show: 'never' },
    { begins: 'heartbeat', means: 'I lead. Shown once a chapter', show: 'once a chapter' },
  ],
)

/** A server is a state machine; what it must remember is on its disk. */
const disks = new Map(ids.map((id) => [id, new Disk()]))
const servers = new Map<NodeId, Engine>()
const boot = (id: NodeId): void => {
  const recovered = disks.get(id)?.state ?? { entries: [] }
  servers.set(id, raft.create({ ...setting, self: id, recovered, random: seededRandom(ids.indexOf(id)) }))
}

/** Tells it what has happened, and does what it says. */
const step = (id: NodeId, input: Input): void => {
  const server = servers.get(id)
  if (server === undefined) return
  server.step(input, stage.now as Monotonic)
  const { write, send, decide, leader } = server.drain()
  const { role, epoch } = server.status()
  if (leader !== undefined && (role === 'candidate' || role === 'leader')) stage.tell(id, `${role} of term ${epoch}`)
  if (write !== undefined) disks.get(id)?.write(write.ops)
  for (const one of send) stage.send(id, one)
  for (const entry of decide) {
    const text = entry.type === 'batch' ? new TextDecoder().decode(entry.batch) : `${entry.type} of term ${entry.epoch}`
    stage.tell(id, `commits ${entry.position}: ${text}`)
  }
  if (write !== undefined) step(id, { type: 'persisted', write: write.id })
}

const pass = (millis: number): void => stage.pass(millis, () => servers.keys(), step)

const leader = (): NodeId => {
  for (const [id, server] of servers) if (server.status().leading) return id
  throw new Error('nobody leads')
}

let proposals = 0
const propose = (text: string): void =>
  step(leader(), { type: 'propose', id: requestId(++proposals), batch: new TextEncoder().encode(text) })

stage.chapter('Leader election (section 5.2)')
for (const id of ids) boot(id)
pass(350)

stage.chapter('Log replication (section 5.3)')
propose('x = 1')
pass(20)
propose('y = 2')
pass(20)

const dead = leader()
stage.chapter(`${dead} dies with an entry on its way; who is elected has it in its log (section 5.4)`)
propose('x = 3')
pass(1)
servers.delete(dead)
pass(400)
propose('y = 4')
pass(20)

stage.chapter(`${dead} comes back, with what is on its disk`)
boot(dead)
pass(200)

const counts = new Set([...servers.values()].map((server) => server.status().decided))
console.log(`\nAll ${servers.size} have committed the same ${[...counts].join(' or ')} entries.`)
