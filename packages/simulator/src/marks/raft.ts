import { ByteReader } from '@conclave/interface'
import type { EngineInsight } from '../insight.ts'

/** Raft, seen from outside: an entry begins with the term in which it was made. */
export const raftInsight: EngineInsight = {
  engine: 'raft',
  entryEpoch: (entry) => (entry.length < 9 ? undefined : new ByteReader(entry).u64()),
  standing: ({ role }) => role === 'candidate',
  marks: { marks: [], watch: () => () => {} },
}
