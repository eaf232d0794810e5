/** Engines that can be simulated, by the names that they have in a node's configuration. */
export const simulatedEngines = ['raft'] as const
