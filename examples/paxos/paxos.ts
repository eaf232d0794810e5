/**
 * Multi-Paxos in five nodes, message by message, in the words of the papers (Lamport, "The Part-Time Parliament", 1998, and "Paxos Made Simple", 2001):
 * the two phases, the death of the distinguished proposer with a value on its way, and its return. Each node is proposer, acceptor and learner.
 *
 *   npx node examples/paxos/paxos.ts
 */
import { paxos } from '@conclave/engine-paxos'
import { type Engine, type Input, type Monotonic, type NodeId, requestId, seededRandom } from '@conclave/interface'
import { Disk, ids, Stage, setting } from '../stage.ts'

const stage = new Stage(
  (message) => paxos.describe?.(message),
  [
    { begins: 'canvass ballot', means: 'Would you promise? Changes nothing' },
    { begins: 'canvass granted', means: 'Yes: I hear no leader' },
    { begins: 'prepares', means: 'a ballot of its own, above all that it has heard of' },
    { begins: 'prepare', means: 'phase 1a: for all slots from this one on' },
    { begins: 'promise', means: 'phase 1b: nothing of a lower ballot; and so much have I accepted' },
    { begins: 'leads', means: 'a quorum has promised: the distinguished proposer' },
    { begins: 'accept nothing', means: 'how far have you come?', show: 'once a chapter' },
    { begins: 'accept ', means: 'phase 2a: a value for this slot' },
    { begins: 'accepted', means: 'phase 2b: on my disk' },
    { begins: 'decides', means: 'the proposer: a quorum has accepted; others: it says so' },
    { begins: 'learn', means: 'these are decided' },
    { begins: 'watermark', means: 'so far have I come' },
    { begins: 'heartbeat reply', means: '', show: 'never' },
    { begins: 'heartbeat', means: 'I lead. Shown once a chapter', show: 'once a chapter' },
  ],
)

/** A node is a state machine; what it must remember is on its disk. */
const disks = new Map(ids.map((id) => [id, new Disk()]))
const nodes = new Map<NodeId, Engine>()
const boot = (id: NodeId): void => {
  const recovered = disks.get(id)?.state ?? { entries: [] }
  nodes.set(id, paxos.create({ ...setting, self: id, recovered, random: seededRandom(ids.indexOf(id)) }))
}

/** Tells it what has happened, and does what it says. */
const step = (id: NodeId, input: Input): void => {
  const node = nodes.get(id)
  if (node === undefined) return
  node.step(input, stage.now as Monotonic)
  const { write, send, decide, leader } = node.drain()
  const { role, detail } = node.status()
  const ballot = detail.promised
  if (leader !== undefined && role === 'preparing') stage.tell(id, `prepares ballot ${ballot}`)
  if (leader !== undefined && role === 'leader') stage.tell(id, `leads, in ballot ${ballot}`)
  if (write !== undefined) disks.get(id)?.write(write.ops)
  for (const one of send) stage.send(id, one)
  for (const entry of decide) {
    const text = entry.type === 'batch' ? new TextDecoder().decode(entry.batch) : entry.type
    stage.tell(id, `decides ${entry.position}: ${text}`)
  }
  if (write !== undefined) step(id, { type: 'persisted', write: write.id })
}

const pass = (millis: number): void => stage.pass(millis, () => nodes.keys(), step)

const leader = (): NodeId => {
  for (const [id, node] of nodes) if (node.status().leading) return id
  throw new Error('nobody leads')
}

let proposals = 0
const propose = (text: string): void =>
  step(leader(), { type: 'propose', id: requestId(++proposals), batch: new TextEncoder().encode(text) })

stage.chapter('Phase 1, once for all slots')
for (const id of ids) boot(id)
pass(350)

stage.chapter('Phase 2, a slot for each value')
propose('x = 1')
pass(20)
propose('y = 2')
pass(20)

const dead = leader()
stage.chapter(`${dead} dies with a value on its way: phase 1 finds it, and phase 2 must go on with it`)
propose('x = 3')
pass(1)
nodes.delete(dead)
pass(400)
propose('y = 4')
pass(20)

stage.chapter(`${dead} comes back, with what is on its disk`)
boot(dead)
pass(200)

const counts = new Set([...nodes.values()].map((node) => node.status().decided))
console.log(`\nAll ${nodes.size} have decided the same ${[...counts].join(' or ')} entries.`)
