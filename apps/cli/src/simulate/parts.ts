import type { Parts } from '@conclave/simulator'
import { CommandFailed, exitCodes } from '../exit.ts'
import { simulatedEngines } from './engines.ts'

/** What runs in the worlds of an engine. Loaded here, and not before. @throws CommandFailed if there is no such engine. */
export const partsOf = async (engine: string): Promise<Parts> => {
  if (engine !== 'raft')
    throw new CommandFailed(
      exitCodes.usage,
      'unknown-engine',
      `no engine "${engine}"`,
      `There is: ${simulatedEngines.join(', ')}.`,
    )
  const [{ raft }, { raftVersion1 }, { raftInsight }] = await Promise.all([
    import('@conclave/engine-raft'),
    import('@conclave/engine-raft/testing'),
    import('@conclave/simulator'),
  ])
  return { engine: raft, previousEngine: raftVersion1, insight: raftInsight }
}
