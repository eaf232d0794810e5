/** What the simulator may know of this engine beyond the contract: `EngineInsight` of `@conclave/simulator`, which this package does not need to run. */
import { ByteReader, type Effects, type Input, type NodeId, type Status } from '@conclave/interface'
import { entryHeadBytes } from './entry.ts'

/** What is looked at of an observation. */
interface Seen {
  readonly type: string
  readonly node?: NodeId
  readonly effects?: Effects
  readonly status?: Status
  readonly before?: Status
  readonly input?: Input
}
type Hit = (mark: string, node?: NodeId) => void

const names = {
  skipped: 'view given up before it began',
  fetched: 'new primary asked for what it lacked of the log that it chose',
  transferred: 'state transfer into a later view',
  interrupted: 'state transfer cut short by the next view change',
  silent: 'primary gave way because it heard no quorum',
  earlier: "commit of an earlier view's entry by a later primary",
} as const

/** Of a drain after which something else holds. */
const changes = (before: Status, { role, epoch, leading }: Status): string | undefined => {
  const later = epoch > before.epoch
  if (before.role === 'view-change' && role === 'view-change' && later && before.epoch > 0n) return names.skipped
  if (before.role === 'state-transfer' && role === 'backup') return names.transferred
  if (before.role === 'state-transfer' && role !== 'state-transfer' && later) return names.interrupted
  return before.leading && !leading && !later ? names.silent : undefined
}

const watch = (hit: Hit) => {
  const collecting = new Set<NodeId>()
  return ({ type, node, effects, status, before, input }: Seen): void => {
    if (node === undefined) return
    if (type === 'stepped' && input?.type === 'receive' && input.message[1] === newState && collecting.has(node))
      hit(names.fetched, node)
    if (type !== 'drained' || effects === undefined || status === undefined) return
    if (status.role === 'view-change') collecting.add(node)
    else collecting.delete(node)
    const change = before && changes(before, status)
    if (change !== undefined) hit(change, node)
    if (status.leading && effects.decide.some(({ epoch }) => epoch < status.epoch)) hit(names.earlier, node)
  }
}

/** The type of NEWSTATE on the wire. */
const newState = 10

export const insight = {
  engine: 'viewstamped',
  /** An entry begins with the view in which it was made. */
  entryEpoch: (entry: Uint8Array): bigint | undefined =>
    entry.length < entryHeadBytes ? undefined : new ByteReader(entry).u64(),
  standing: ({ role }: Status): boolean => role === 'view-change',
  marks: { marks: Object.values(names).map((name) => ({ name })), watch },
}
