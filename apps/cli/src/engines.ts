import type { NodeFile } from '@conclave/node'

/** Engines by the names that they have in a node's configuration, the default first. Written down here so that a flag loads none of them. */
export const engines = ['raft', 'paxos'] as const satisfies readonly NodeFile['engine'][]
