/**
 * Zab in five peers, message by message, in the words of the paper (Junqueira, Reed and Serafini, "Zab: High-performance broadcast for primary-backup
 * systems", 2011) and of ZooKeeper: election, discovery, synchronization and broadcast, the death of the leader with a transaction on its way, and its return.
 *
 *   npx node examples/zab/zab.ts
 */
import { zab } from '@conclave/engine-zab'
import { type Engine, type Input, type Monotonic, type NodeId, requestId, seededRandom } from '@conclave/interface'
import { Disk, ids, Stage, setting } from '../stage.ts'

const stage = new Stage(
  (message) => zab.describe?.(message),
  [
    {
      begins: 'LOOKING round',
      means: 'my vote; whoever hears of a better one changes its own',
      show: 'once a chapter',
    },
    { begins: 'FOLLOWING round', means: '', show: 'never' },
    { begins: 'LEADING round', means: '', show: 'never' },
    { begins: 'LEADING: discovery', means: 'a quorum votes for it: the best epoch, then zxid, then name' },
    { begins: 'CEPOCH', means: 'phase 1: the last epoch that I have accepted' },
    { begins: 'NEWEPOCH', means: 'an epoch above all of a quorum' },
    { begins: 'ACKEPOCH', means: 'accepted, on disk; and this is my history' },
    { begins: 'DIFF', means: 'phase 2: what you lack follows this' },
    { begins: 'NEWLEADER', means: 'with that, you have my history' },
    { begins: 'ACKLD', means: 'I have: history on disk, then the epoch' },
    { begins: 'COMMITLD', means: 'a quorum has: deliver it' },
    { begins: 'PROPOSE', means: 'phase 3: a transaction, with its zxid' },
    { begins: 'ACK ', means: 'on my disk' },
    { begins: 'COMMIT ', means: 'a quorum has it' },
    { begins: 'pong', means: '', show: 'never' },
    { begins: 'ping', means: 'I lead. Shown once a chapter', show: 'once a chapter' },
  ],
)

/** A peer is a state machine; what it must remember is on its disk. */
const disks = new Map(ids.map((id) => [id, new Disk()]))
const peers = new Map<NodeId, Engine>()
const phases = new Map<NodeId, string>()
const boot = (id: NodeId): void => {
  const recovered = disks.get(id)?.state ?? { entries: [] }
  peers.set(id, zab.create({ ...setting, self: id, recovered, random: seededRandom(ids.indexOf(id)) }))
}

/** Tells it what has happened, and does what it says. */
const step = (id: NodeId, input: Input): void => {
  const peer = peers.get(id)
  if (peer === undefined) return
  peer.step(input, stage.now as Monotonic)
  const { write, send, decide } = peer.drain()
  const { role, detail } = peer.status()
  const phase = `${role}: ${detail.phase}`
  if (phases.get(id) !== phase) stage.tell(id, phase)
  phases.set(id, phase)
  if (write !== undefined) disks.get(id)?.write(write.ops)
  for (const one of send) stage.send(id, one)
  for (const entry of decide) {
    const text =
      entry.type === 'batch' ? new TextDecoder().decode(entry.batch) : `${entry.type} of epoch ${entry.epoch}`
    stage.tell(id, `delivers ${entry.position}: ${text}`)
  }
  if (write !== undefined) step(id, { type: 'persisted', write: write.id })
}

const pass = (millis: number): void => stage.pass(millis, () => peers.keys(), step)

const leader = (): NodeId => {
  for (const [id, peer] of peers) if (peer.status().leading) return id
  throw new Error('nobody leads')
}

let proposals = 0
const propose = (text: string): void =>
  step(leader(), { type: 'propose', id: requestId(++proposals), batch: new TextEncoder().encode(text) })

stage.chapter('Election, discovery, synchronization')
for (const id of ids) boot(id)
pass(350)

stage.chapter('Broadcast')
propose('x = 1')
pass(20)
propose('y = 2')
pass(20)

const dead = leader()
stage.chapter(`${dead} dies with a transaction on its way; discovery finds it, and synchronization hands it on`)
propose('x = 3')
pass(1)
peers.delete(dead)
pass(400)
propose('y = 4')
pass(20)

stage.chapter(`${dead} comes back, with what is on its disk`)
boot(dead)
pass(200)

const counts = new Set([...peers.values()].map((peer) => peer.status().decided))
console.log(`\nAll ${peers.size} have delivered the same ${[...counts].join(' or ')} entries.`)
