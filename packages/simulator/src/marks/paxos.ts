import { ByteReader, concatChunks, type JournalOp, type NodeId } from '@conclave/interface'
import type { EngineInsight } from '../insight.ts'
import type { Hit, MarkSet } from '../marks.ts'
import type { Observation } from '../observation.ts'

type Drained = Extract<Observation, { type: 'drained' }>
type Put = Extract<JournalOp, { type: 'put' }>

/** As they stand on the wire and on disk, see the formats of Multi-Paxos. */
const promiseType = 4
const nackType = 5
const [batchKind, noopKind, stopKind] = [1, 2, 4]

/** A slot of the journal begins `ballot (round u53 · ordinal u32) · origin (the same) · kind u8`. */
const slotHeadBytes = 25
/** A promise begins `version u8 · type u8 · configuration u53 · ballot · decided u53 · cursor u53 · next u53`. */
const promiseHeadBytes = 46

/** A value: in one slot a ballot proposes only one, so its origin names it. */
interface Held {
  readonly origin: bigint
  readonly kind: number
}

const readBallot = (reader: ByteReader): bigint => {
  const round = BigInt(reader.u53())
  return (round << 24n) | BigInt(reader.u32())
}

const heldIn = (bytes: Uint8Array): Held | undefined => {
  if (bytes.length < slotHeadBytes) return undefined
  const reader = new ByteReader(bytes, 12)
  return { origin: readBallot(reader), kind: reader.u8() }
}

/** Whether a page of a promise is not its last one. */
const isEarlyPage = (message: Uint8Array): boolean =>
  message.length >= promiseHeadBytes && message[1] === promiseType && new ByteReader(message, 38).u53() !== 0

/** What a node has accepted and not yet delivered, as its journal holds it. */
class Acceptor {
  readonly slots = new Map<number, Held>()
  nacked = false
  paged = false

  take(op: JournalOp): void {
    if (op.type === 'put') {
      const held = heldIn(concatChunks(op.bytes))
      if (held !== undefined) this.slots.set(op.slot, held)
    } else if (op.type === 'truncateFrom') {
      for (const slot of this.slots.keys()) if (slot >= op.slot) this.slots.delete(slot)
    }
  }

  forgetTo(decided: number): void {
    for (const slot of this.slots.keys()) if (slot <= decided) this.slots.delete(slot)
  }
}

/** What a leader proposes first: what phase 1 has found, and no-ops where it found nothing. */
const foundInPhase1 = (hit: Hit, { node, effects, status }: Drained, { slots }: Acceptor): void => {
  for (const op of effects.write?.ops ?? []) {
    const value = op.type === 'put' ? heldIn(concatChunks(op.bytes)) : undefined
    if (op.type !== 'put' || value === undefined) continue
    const own = slots.get(op.slot)
    if (value.kind === noopKind && own === undefined) hit('hole filled with a no-op', node)
    if (value.kind === noopKind || value.origin === status.epoch) continue
    hit('value of an older ballot proposed again', node)
    if (own === undefined) hit('value adopted that only others had accepted', node)
    else if (own.origin !== value.origin) hit('own value gave way to that of a higher ballot in phase 1', node)
    if (value.kind === stopKind) hit('stop-sign of one proposer proposed again by another', node)
  }
}

const differs = (slots: ReadonlyMap<number, Held>, { slot, bytes }: Put): boolean => {
  const own = slots.get(slot)
  const value = heldIn(concatChunks(bytes))
  return own !== undefined && value !== undefined && own.origin !== value.origin
}

/** What an acceptor takes from whoever leads. */
const acceptedSlots = (hit: Hit, { node, effects, status }: Drained, { slots }: Acceptor): void => {
  const puts = (effects.write?.ops ?? []).filter((op) => op.type === 'put')
  const put = new Set<number>(puts.map(({ slot }) => slot))
  const there = (slot: number): boolean => slot <= status.decided || slots.has(slot) || put.has(slot)
  for (const op of puts) {
    if (op.slot > 1 && !there(op.slot - 1)) hit('slot accepted above a hole', node)
    if (differs(slots, op)) hit('accepted value replaced in a higher ballot', node)
  }
}

/** How a node comes to lead, and how it does not. */
const rolesChanged = (hit: Hit, { node, status, before }: Drained, acceptor: Acceptor): void => {
  if (before === undefined || before.role === status.role) return
  if (before.role === 'canvassing' && status.role === 'acceptor' && before.epoch === status.epoch)
    hit('canvass that led to no prepare', node)
  if (status.role === 'acceptor' && acceptor.nacked) {
    if (before.leading) hit('leader learned from a refusal that its ballot is preempted', node)
    else if (before.role === 'preparing') hit('ballot preempted in phase 1', node)
  }
  if (before.role === 'leader' && status.role === 'preparing' && status.leading)
    hit('leader prepared anew in the next configuration', node)
  if (status.role === 'leader' && acceptor.paged) hit('leader elected with a promise of several pages', node)
}

/** A batch is void if another reign began between its proposal and its decision. */
const voided = (hit: Hit, { node, effects }: Drained, { slots }: Acceptor): void => {
  for (const { type, position } of effects.decide)
    if (type === 'noop' && slots.get(position)?.kind === batchKind) hit('batch of a lost reign chosen and void', node)
}

const paxosMarks: MarkSet = {
  marks: [
    { name: 'hole filled with a no-op' },
    { name: 'value of an older ballot proposed again' },
    { name: 'value adopted that only others had accepted' },
    { name: 'own value gave way to that of a higher ballot in phase 1' },
    { name: 'accepted value replaced in a higher ballot' },
    { name: 'slot accepted above a hole' },
    { name: 'batch of a lost reign chosen and void' },
    { name: 'ballot preempted in phase 1' },
    { name: 'leader learned from a refusal that its ballot is preempted' },
    { name: 'canvass that led to no prepare' },
    { name: 'two proposers in phase 1 at once' },
    { name: 'leader elected with a promise of several pages' },
    { name: 'leader prepared anew in the next configuration', fault: 'add', needs: ['membership'] },
    { name: 'stop-sign of one proposer proposed again by another', fault: 'add', needs: ['membership'] },
  ],
  watch: (hit) => {
    const acceptors = new Map<NodeId, Acceptor>()
    const preparing = new Set<NodeId>()

    const received = (node: NodeId, message: Uint8Array): void => {
      const acceptor = acceptors.get(node)
      if (acceptor === undefined) return
      if (message[1] === nackType) acceptor.nacked = true
      if (isEarlyPage(message)) acceptor.paged = true
    }

    const drained = (seen: Drained): void => {
      const { node, status, effects } = seen
      const acceptor = acceptors.get(node)
      if (acceptor === undefined) return
      rolesChanged(hit, seen, acceptor)
      if (seen.before?.role !== 'leader' && status.role === 'leader') foundInPhase1(hit, seen, acceptor)
      else if (status.role === 'acceptor') acceptedSlots(hit, seen, acceptor)
      for (const op of effects.write?.ops ?? []) acceptor.take(op)
      voided(hit, seen, acceptor)
      acceptor.forgetTo(status.decided)
      acceptor.nacked = false
      if (status.role !== 'preparing') acceptor.paged = false
      if (status.role !== 'preparing' || status.leading) preparing.delete(node)
      else if (preparing.add(node).size > 1) hit('two proposers in phase 1 at once', node)
    }

    return (seen) => {
      if (seen.type === 'started') {
        const acceptor = new Acceptor()
        for (const { slot, bytes } of seen.recovered.entries) acceptor.take({ type: 'put', slot, bytes: [bytes] })
        acceptors.set(seen.node, acceptor)
      } else if (seen.type === 'ended') {
        acceptors.delete(seen.node)
        preparing.delete(seen.node)
      } else if (seen.type === 'stepped' && seen.input.type === 'receive') received(seen.node, seen.input.message)
      else if (seen.type === 'drained') drained(seen)
    }
  },
}

/** Multi-Paxos, seen from outside. Its logs cannot be compared slot by slot: each holds the ballots in which its own node accepted. */
export const paxosInsight: EngineInsight = {
  engine: 'paxos',
  exempt: new Map([
    ['joint configuration finished by another leader', 'a stop-sign leads from one configuration to the next'],
    ['entry truncated while its write was pending', 'slots are cut only above a stop-sign, which is rare enough'],
  ]),
  standing: ({ role, leading }) => !leading && (role === 'canvassing' || role === 'preparing'),
  marks: paxosMarks,
}
