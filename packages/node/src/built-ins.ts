/** The engines that come with Conclave: the one list of them. None is loaded before it is asked for. */
import type { EngineFactory } from '@conclave/interface'

/** By the names that configurations and flags give them, the default first. */
export const builtIns = {
  raft: async () => (await import('@conclave/engine-raft')).raft,
  paxos: async () => (await import('@conclave/engine-paxos')).paxos,
  zab: async () => (await import('@conclave/engine-zab')).zab,
} as const satisfies Readonly<Record<string, () => Promise<EngineFactory>>>

export type EngineName = keyof typeof builtIns
export const engineNames = Object.keys(builtIns) as readonly EngineName[]
export const isBuiltIn = (name: string): name is EngineName => Object.hasOwn(builtIns, name)
