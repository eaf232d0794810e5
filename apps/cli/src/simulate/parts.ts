import { importEngine } from '@conclave/node/engines'
import { insightFrom, type Parts, paxosInsight, raftInsight, zabInsight } from '@conclave/simulator'

type Known = Pick<Parts, 'previousEngine' | 'insight'>

/** What is known of the engines that come with Conclave. */
const known: ReadonlyMap<string, () => Promise<Known>> = new Map<string, () => Promise<Known>>([
  [
    'raft',
    async () => ({
      previousEngine: (await import('@conclave/engine-raft/testing')).raftVersion1,
      insight: raftInsight,
    }),
  ],
  ['paxos', async () => ({ insight: paxosInsight })],
  ['zab', async () => ({ insight: zabInsight })],
])

/** What a module says of its engine beside it, if it does. */
const told = (engine: string, insight: unknown): Known =>
  insight === undefined ? {} : { insight: insightFrom(insight, engine) }

/**
 * What runs in the worlds of an engine.
 *
 * @param engine one that comes with Conclave, or an absolute path.
 * @throws what `importEngine` throws; InvalidInsight
 */
export const partsOf = async (engine: string): Promise<Parts> => {
  const { factory, exports } = await importEngine(engine, { from: process.cwd() })
  return { engine: factory, ...((await known.get(engine)?.()) ?? told(factory.name, exports.insight)) }
}
