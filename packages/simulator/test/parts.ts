import { raft } from '@conclave/engine-raft'
import { raftVersion1 } from '@conclave/engine-raft/testing'
import { type Parts, raftInsight } from '@conclave/simulator'

/** Raft, old and new. */
export const raftParts: Parts = { engine: raft, previousEngine: raftVersion1, insight: raftInsight }

export const seeds = (first: number, count: number): number[] => Array.from({ length: count }, (_, at) => first + at)
