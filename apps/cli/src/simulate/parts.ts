import type { Parts } from '@conclave/simulator'
import { engines } from '../engines.ts'
import { CommandFailed, exitCodes } from '../exit.ts'

const raftParts = async (): Promise<Parts> => {
  const [{ raft }, { raftVersion1 }, { raftInsight }] = await Promise.all([
    import('@conclave/engine-raft'),
    import('@conclave/engine-raft/testing'),
    import('@conclave/simulator'),
  ])
  return { engine: raft, previousEngine: raftVersion1, insight: raftInsight }
}

const paxosParts = async (): Promise<Parts> => {
  const [{ paxos }, { paxosInsight }] = await Promise.all([
    import('@conclave/engine-paxos'),
    import('@conclave/simulator'),
  ])
  return { engine: paxos, insight: paxosInsight }
}

const loaders: ReadonlyMap<string, () => Promise<Parts>> = new Map<(typeof engines)[number], () => Promise<Parts>>([
  ['raft', raftParts],
  ['paxos', paxosParts],
])

/** What runs in the worlds of an engine. Loaded here, and not before. @throws CommandFailed if there is no such engine. */
export const partsOf = async (engine: string): Promise<Parts> => {
  const load = loaders.get(engine)
  if (load === undefined)
    throw new CommandFailed(
      exitCodes.usage,
      'unknown-engine',
      `no engine "${engine}"`,
      `There are: ${engines.join(', ')}.`,
    )
  return load()
}
