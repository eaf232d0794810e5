import { assert, type NodeId, position, type RequestId } from '@conclave/interface'
import { committed, voteResult } from '@conclave/quorum'
import { entryKind, makeEntry } from './entry.ts'
import { partBytes } from './log.ts'
import { batchOverhead, headBytes } from './messages.ts'
import type { Backup, Primary } from './role.ts'
import type { ReplicaState } from './state.ts'

/** To be made when the entry that begins the view is in the log; all of it goes to the disk with the next write. */
export const newPrimary = (r: ReplicaState): Primary => {
  const { last } = r.log
  const backup = (id: NodeId): readonly [NodeId, Backup] => [
    id,
    { acked: 0, next: last + 1, pulls: false, inflight: [], heardAt: r.now, round: 0 },
  ]
  return {
    backups: new Map(r.configuration.others(r.self).map(backup)),
    reign: last,
    startWrite: r.nextWrite,
    started: false,
    unsynced: [],
    durable: 0,
    proposals: [],
    undecidedBytes: 0,
    readsWaiting: [],
    readRounds: [],
    round: 0,
  }
}

/** Leads no more. A proposal may yet be decided, so its outcome is unknown; a read has no effect, so it is refused. */
export const standDown = (r: ReplicaState): void => {
  const { primary } = r
  if (primary === undefined) return
  r.primary = undefined
  r.status = 'view-change'
  for (const { id } of primary.proposals) r.settle(id, { type: 'unknown' })
  const reads = [...primary.readsWaiting, ...primary.readRounds.flatMap((round) => round.reads)]
  for (const id of reads) r.settle(id, { type: 'refused', reason: 'not-leader' })
}

/** "The primary advances op-number and adds the request to the end of the log" (section 4.1). PREPARE follows with the drain. */
export const propose = (r: ReplicaState, primary: Primary, id: RequestId, batch: Uint8Array): void => {
  const { limits } = r
  const size = batch.length
  if (batchOverhead + size > limits.messageBytes) return r.settle(id, { type: 'refused', reason: 'invalid' })
  if (r.disk === 'full') return r.settle(id, { type: 'refused', reason: 'disk-full' })
  if (primary.undecidedBytes > 0 && primary.undecidedBytes + size > limits.undecidedBytes)
    return r.settle(id, { type: 'refused', reason: 'overloaded' })
  r.append(makeEntry(r.view, entryKind.batch, batch))
  r.matched = r.log.last
  primary.undecidedBytes += size
  primary.proposals.push({ id, op: r.log.last, size })
}

/** Sends every backup what follows what it was sent, as far as its window allows. Once a drain, so that the requests of a turn share a message. */
export const sendPrepares = (r: ReplicaState, { started, backups }: Primary): void => {
  if (started) for (const [id, backup] of backups) feed(r, id, backup)
}

const feed = (r: ReplicaState, id: NodeId, backup: Backup): void => {
  const { log, limits, commit } = r
  let bytes = backup.inflight.reduce((sum, sent) => sum + sent.bytes, 0)
  // What is not in memory any more the backup asks for.
  while (!backup.pulls && backup.next > log.base && backup.next <= log.last && bytes < limits.inflightBytes) {
    const part = log.partAfter(backup.next - 1, limits.messageBytes - headBytes)
    backup.next += part.entries.length
    bytes += partBytes(part)
    backup.inflight.push({ last: backup.next - 1, bytes: partBytes(part) })
    r.sendEarly(id, { type: 'prepare', view: r.view, commit, part })
  }
}

/** "The primary waits for f PREPAREOK messages from different backups; at this point it considers the operation (and all earlier ones) to be committed." */
export const receivePrepareOk = (r: ReplicaState, primary: Primary, from: NodeId, op: number): void => {
  const backup = primary.backups.get(from)
  if (backup === undefined || op > r.log.last) return // no honest backup has more than its primary
  backup.heardAt = r.now
  backup.inflight = backup.pulls ? [] : backup.inflight.filter(({ last }) => last > op)
  backup.next = backup.pulls ? op + 1 : Math.max(backup.next, op + 1)
  backup.pulls = false
  backup.acked = Math.max(backup.acked, op)
  advanceCommit(r, primary)
}

/** The own log counts as far as it is on disk. */
export const ownWritePersisted = (r: ReplicaState, primary: Primary): void => {
  for (const { write, op } of primary.unsynced) if (write <= r.durable) primary.durable = op
  primary.unsynced = primary.unsynced.filter(({ write }) => write > r.durable)
  primary.started ||= primary.startWrite <= r.durable
  advanceCommit(r, primary)
}

const advanceCommit = (r: ReplicaState, primary: Primary): void => {
  const has = (id: NodeId): number => (id === r.self ? primary.durable : (primary.backups.get(id)?.acked ?? 0))
  const reached = committed(r.configuration.quorum, has)
  if (reached <= r.commit) return
  assert(
    reached >= primary.reign,
    `a backup acknowledged ${reached} and lacks the beginning of its view at ${primary.reign}`,
  )
  r.commitTo(reached)
  const done = primary.proposals.findIndex(({ op }) => op > reached)
  for (const { id, op, size } of primary.proposals.splice(0, done === -1 ? primary.proposals.length : done)) {
    r.settle(id, { type: 'decided', position: position(op) })
    primary.undecidedBytes -= size
  }
}

/** "If the primary does not receive a new client request in a timely way, it instead informs the backups of the latest commit by sending a COMMIT message." */
export const sendCommit = (r: ReplicaState, { backups, round, started }: Primary, id: NodeId): void => {
  const backup = backups.get(id)
  if (!started || backup === undefined) return
  const op = backup.pulls ? r.log.last : backup.next - 1
  r.sendEarly(id, { type: 'commit', view: r.view, commit: r.commit, op, round })
}

/** A primary that hears no quorum can commit nothing, and may be heard all the same: it has to give way. */
export const hearsQuorum = (r: ReplicaState, { backups }: Primary): boolean =>
  voteResult(r.configuration.quorum, (id) => id === r.self || !r.isStale(backups.get(id)?.heardAt ?? 0)) === 'won'
