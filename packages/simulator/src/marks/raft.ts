import { ByteReader, type NodeId } from '@conclave/interface'
import type { EngineInsight } from '../insight.ts'
import type { MarkSet } from '../marks.ts'
import type { Observation } from '../observation.ts'
import { PendingSlots } from './pending.ts'

const appendType = 3

/** The slots of an append with entries, which begins `version u8 · type u8 · term u53 · previous u53 · previousTerm u53 · commit u53 · count u32`. */
const slotsOf = (message: Uint8Array): { readonly first: number; readonly last: number } | undefined => {
  if (message.length < 38 || message[1] !== appendType) return undefined
  const previous = Number(new ByteReader(message, 10).u64())
  const count = new ByteReader(message, 34).u32()
  return count === 0 ? undefined : { first: previous + 1, last: previous + count }
}

const putsOrCuts = ({ effects }: Extract<Observation, { type: 'drained' }>, first: number, last: number): boolean =>
  (effects.write?.ops ?? []).some(
    (op) =>
      (op.type === 'put' && op.slot >= first && op.slot <= last) || (op.type === 'truncateFrom' && op.slot <= last),
  )

/** Elections in Raft's own words. */
class Elections {
  readonly #candidates = new Map<bigint, Set<NodeId>>()
  readonly #led = new Set<bigint>()

  see({ status, effects, node }: Extract<Observation, { type: 'drained' }>): void {
    if (effects.leader?.id !== undefined) this.#led.add(effects.leader.epoch)
    if (status.role !== 'candidate') return
    const standing = this.#candidates.get(status.epoch) ?? new Set()
    this.#candidates.set(status.epoch, standing.add(node))
  }

  /** Several stood in this term, and nobody is known to have won. */
  split(epoch: bigint): boolean {
    return (this.#candidates.get(epoch)?.size ?? 0) > 1 && !this.#led.has(epoch)
  }
}

const raftMarks: MarkSet = {
  marks: [
    { name: 'duplicate append while the first write was in flight' },
    { name: 'election with a split vote' },
    { name: "commit of an earlier term's entry by a later one's" },
    { name: 'candidate gave way to the leader of its own term' },
    { name: 'pre-vote that led to no election' },
    { name: 'leader stepped down because it heard no quorum' },
  ],
  watch: (hit) => {
    const pending = new PendingSlots()
    const elections = new Elections()
    const doubles = new Map<NodeId, { readonly first: number; readonly last: number }>()
    let judged = 0n
    return (seen) => {
      if (seen.type === 'stepped' && seen.input.type === 'receive') {
        const slots = slotsOf(seen.input.message)
        const waiting = pending.of(seen.node)
        if (slots !== undefined && waiting.has(slots.first) && waiting.has(slots.last)) doubles.set(seen.node, slots)
      } else if (seen.type === 'drained') {
        const { node, status, before, effects } = seen
        const double = doubles.get(node)
        if (double !== undefined && !putsOrCuts(seen, double.first, double.last))
          hit('duplicate append while the first write was in flight', node)
        doubles.delete(node)
        elections.see(seen)
        if (status.epoch > judged) {
          if (elections.split(judged)) hit('election with a split vote')
          judged = status.epoch
        }
        if (status.leading && effects.decide.some(({ epoch }) => epoch < status.epoch))
          hit("commit of an earlier term's entry by a later one's", node)
        if (before?.epoch === status.epoch && before.role !== status.role) {
          if (before.role === 'candidate' && status.role === 'follower')
            hit('candidate gave way to the leader of its own term', node)
          if (before.role === 'preCandidate' && status.role === 'follower')
            hit('pre-vote that led to no election', node)
          if (before.leading && status.self === 'voter') hit('leader stepped down because it heard no quorum', node)
        }
      } else if (seen.type === 'started') doubles.delete(seen.node)
      pending.see(seen)
    }
  },
}

/** Raft, seen from outside: an entry begins with the term in which it was made. */
export const raftInsight: EngineInsight = {
  engine: 'raft',
  entryEpoch: (entry) => (entry.length < 9 ? undefined : new ByteReader(entry).u64()),
  standing: ({ role }) => role === 'candidate',
  marks: raftMarks,
}
