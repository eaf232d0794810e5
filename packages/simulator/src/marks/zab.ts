import { ByteReader, type NodeId, type Status } from '@conclave/interface'
import type { EngineInsight } from '../insight.ts'
import type { Hit, MarkSet } from '../marks.ts'
import type { Observation } from '../observation.ts'
import { PendingSlots } from './pending.ts'

type Drained = Extract<Observation, { type: 'drained' }>

/** As they stand on the wire, see the formats of Zab. */
const types = { ackEpoch: 4, trunc: 5, propose: 7, takeOver: 16 }

/** A message begins `version u8 · type u8 · epoch u53`; PROPOSE goes on `first u53 · committed u53 · count u32`. */
const bodyAt = 10
const countAt = 26

const typeOf = (message: Uint8Array): number | undefined => message[1]
const phaseOf = (status: Status | undefined): unknown => status?.detail.phase

/** The positions of a PROPOSE. */
const proposed = (message: Uint8Array): { readonly first: number; readonly last: number } => {
  const first = new ByteReader(message, bodyAt).u53()
  return { first, last: first + new ByteReader(message, countAt).u32() - 1 }
}

/** What a node was sent in this turn. */
const arrived = (
  hit: Hit,
  node: NodeId,
  message: Uint8Array,
  status: Status | undefined,
  pending: PendingSlots,
): void => {
  if (status === undefined) return
  switch (typeOf(message)) {
    case types.ackEpoch:
      if (status.leading) hit('late comer synchronized while broadcast goes on', node)
      return
    case types.trunc:
      return hit('follower asked to forget what its leader lacks', node)
    case types.propose: {
      const { first, last } = proposed(message)
      if (status.role === 'FOLLOWING' && first > status.last + 1) hit('gap in what was proposed refused', node)
      if (first <= last && pending.of(node).has(first) && pending.of(node).has(last))
        hit('duplicate proposal while the first write was in flight', node)
      return
    }
    case types.takeOver:
      return hit('leader asked another to take over', node)
    default:
      return
  }
}

/** How a node comes to lead, and how it does not. */
const rolesChanged = (hit: Hit, { node, status, before, effects }: Drained): void => {
  const [was, is] = [phaseOf(before), phaseOf(status)]
  if (before === undefined) return
  if (before.role === 'LEADING' && was === 'discovery' && status.role === 'LOOKING')
    hit('elected node gave up in discovery', node)
  if (before.role === 'LEADING' && was === 'synchronization' && status.role === 'LOOKING')
    hit('leader gave up in synchronization', node)
  if (before.leading && status.role === 'LOOKING') hit('leader without a quorum looked for another', node)
  if (before.role === 'FOLLOWING' && status.role === 'LOOKING' && was === 'synchronization')
    hit('follower left in mid-synchronization', node)
  if (!before.leading && status.leading && effects.decide.some(({ epoch }) => epoch < status.epoch))
    hit('initial history with undecided transactions committed by its NEWLEADER', node)
  if (is === 'synchronization' && status.role === 'OBSERVING') hit('observer synchronized', node)
}

/** A restarted node holds transactions of which nobody knows whether they are committed. */
const holdsUndecided = (seen: Extract<Observation, { type: 'started' }>): boolean =>
  seen.recovered.entries.some(({ slot }) => slot > (seen.recovered.snapshot?.position ?? 0))

const zabMarks: MarkSet = {
  marks: [
    { name: 'two nodes elected at once' },
    { name: 'elected node gave up in discovery' },
    { name: 'leader gave up in synchronization' },
    { name: 'leader without a quorum looked for another' },
    { name: 'follower left in mid-synchronization' },
    { name: 'follower asked to forget what its leader lacks' },
    { name: 'late comer synchronized while broadcast goes on' },
    { name: 'gap in what was proposed refused' },
    { name: 'duplicate proposal while the first write was in flight' },
    { name: 'initial history with undecided transactions committed by its NEWLEADER' },
    { name: 'restarted with transactions that may not be committed' },
    { name: 'leader asked another to take over', fault: 'transfer', needs: ['transfer'] },
    { name: 'observer synchronized', fault: 'add', needs: ['membership'] },
  ],
  watch: (hit) => {
    const pending = new PendingSlots()
    const statuses = new Map<NodeId, Status>()
    const elected = new Set<NodeId>()
    return (seen) => {
      if (seen.type === 'started') {
        statuses.delete(seen.node)
        if (holdsUndecided(seen)) hit('restarted with transactions that may not be committed', seen.node)
      } else if (seen.type === 'ended') {
        statuses.delete(seen.node)
        elected.delete(seen.node)
      } else if (seen.type === 'stepped' && seen.input.type === 'receive')
        arrived(hit, seen.node, seen.input.message, statuses.get(seen.node), pending)
      else if (seen.type === 'drained') {
        rolesChanged(hit, seen)
        statuses.set(seen.node, seen.status)
        if (seen.status.role !== 'LEADING' || seen.status.leading) elected.delete(seen.node)
        else if (elected.add(seen.node).size > 1) hit('two nodes elected at once', seen.node)
      }
      pending.see(seen)
    }
  },
}

/** Zab, seen from outside: a transaction begins with the epoch in which it was made. */
export const zabInsight: EngineInsight = {
  engine: 'zab',
  exempt: new Map([
    [
      'entry truncated while its write was pending',
      'a follower says what its history is once that is on disk, and is asked to forget some of it after that',
    ],
  ]),
  entryEpoch: (entry) => (entry.length < 13 ? undefined : new ByteReader(entry).u64()),
  standing: ({ role, leading }) => role === 'LEADING' && !leading,
  marks: zabMarks,
}
