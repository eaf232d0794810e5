import { paxos } from '@conclave/engine-paxos'
import { raft } from '@conclave/engine-raft'
import { raftVersion1 } from '@conclave/engine-raft/testing'
import { zab } from '@conclave/engine-zab'
import { type Parts, paxosInsight, raftInsight, zabInsight } from '@conclave/simulator'

/** Raft, old and new. */
export const raftParts: Parts = { engine: raft, previousEngine: raftVersion1, insight: raftInsight }

/** Multi-Paxos. */
export const paxosParts: Parts = { engine: paxos, insight: paxosInsight }

/** Zab. */
export const zabParts: Parts = { engine: zab, insight: zabInsight }

export const seeds = (first: number, count: number): number[] => Array.from({ length: count }, (_, at) => first + at)
