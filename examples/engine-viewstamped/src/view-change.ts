import { assert, type NodeId } from '@conclave/interface'
import { voteResult } from '@conclave/quorum'
import { makeReign, type View, view } from './entry.ts'
import { headBytes } from './messages.ts'
import { hearsQuorum, newPrimary, standDown } from './primary.ts'
import type { DoViewChange } from './role.ts'
import type { ReplicaState } from './state.ts'
import { askFor, takePart } from './state-transfer.ts'

/*
 * View changes (section 4.2). "A replica notices the need for a view change either based on its own timer, or because it receives a STARTVIEWCHANGE or
 * DOVIEWCHANGE message for a view with a larger number than its own." Here the timer alone does not do: a replica that hears no primary says so
 * (SUSPECT), and goes on to the next view when f others say the same, or one that was cut off would depose every primary.
 */

// ---- suspicion ----------------------------------------------------------------------------------------------------------

/** The time-out has passed, or this replica was the primary and gives up. */
export const suspect = (r: ReplicaState): void => {
  const { change } = r
  r.suspectIn = r.patience()
  let wanted = Math.max(change.wanted ?? 0, r.view + 1)
  for (const { view: of, at } of change.suspects.values()) if (!r.isStale(at)) wanted = Math.max(wanted, of)
  assert(Number.isSafeInteger(wanted), 'no view-number is left')
  change.wanted = view(wanted)
  r.broadcastEarly({ type: 'suspect', view: change.wanted })
  countSuspects(r)
}

export const receiveSuspect = (r: ReplicaState, from: NodeId, of: View): void => {
  if (of <= r.view) return
  const { change } = r
  change.suspects.set(from, { view: of, at: r.now })
  if (from === r.primaryId) r.heardAt = Number.NEGATIVE_INFINITY // the primary itself gives up
  const hears = r.primary === undefined ? !r.isStale(r.heardAt) : hearsQuorum(r, r.primary)
  if (hears) return
  if (r.primary !== undefined) standDown(r)
  if (change.wanted === undefined || change.wanted < of) {
    change.wanted = of
    r.broadcastEarly({ type: 'suspect', view: of })
  }
  countSuspects(r)
}

const countSuspects = (r: ReplicaState): void => {
  const { wanted, suspects } = r.change
  if (wanted === undefined) return
  const agrees = (id: NodeId): boolean | undefined => {
    const other = suspects.get(id)
    return id === r.self || (other?.view === wanted && !r.isStale(other.at)) || undefined
  }
  if (voteResult(r.configuration.quorum, agrees) === 'won') startViewChange(r, wanted)
}

/** The primary's link was reset: it crashed, or cut us off. Everybody suspects it after a short jitter; if it lives, its next message ends that. */
export const primaryLinkDown = (r: ReplicaState): void => {
  r.heardAt = Number.NEGATIVE_INFINITY
  r.suspectIn = Math.min(r.suspectIn, 1 + Math.floor(r.random.next() * 8))
}

// ---- 1. and 2. STARTVIEWCHANGE, DOVIEWCHANGE ----------------------------------------------------------------------------

/** "Replica i advances its view-number, sets its status to view-change, and sends a STARTVIEWCHANGE message to all the other replicas." */
export const startViewChange = (r: ReplicaState, next: View): void => {
  enterView(r, next)
  r.broadcastEarly({ type: 'startViewChange', view: next })
  agree(r)
}

/** Leaves the present view for a later one, whatever the role. */
export const enterView = (r: ReplicaState, next: View): void => {
  if (r.primary !== undefined) standDown(r)
  r.enter(next)
}

export const receiveStartViewChange = (r: ReplicaState, from: NodeId): void => {
  if (!r.isChanging) return // it has begun already: its primary will tell
  r.change.started.add(from)
  agree(r)
}

/** "When replica i receives STARTVIEWCHANGE messages for its view-number from f other replicas, it sends a DOVIEWCHANGE message." */
const agree = (r: ReplicaState): void => {
  const { change, configuration } = r
  if (change.agreed) return
  const agrees = (id: NodeId): boolean | undefined => id === r.self || change.started.has(id) || undefined
  if (voteResult(configuration.quorum, agrees) !== 'won') return
  change.agreed = true
  sendDoViewChange(r)
}

/** Waits for the disk: it says that this replica takes no part in earlier views any more, and what its log holds. */
const sendDoViewChange = (r: ReplicaState): void => {
  const { primaryId, view: of, lastNormal, commit, log } = r
  if (primaryId === undefined) return
  if (primaryId === r.self) return collect(r)
  const part = log.suffix(commit, suffixBytes(r))
  r.sendDurable(primaryId, { type: 'doViewChange', view: of, lastNormal, op: log.last, commit, part })
}

/** "Include a suffix" (section 5.3): enough in most cases; what is lacking is asked for. */
const suffixBytes = (r: ReplicaState): number => Math.min(16 << 10, r.limits.messageBytes) - headBytes

/** At every heartbeat, since any message may be lost. */
export const repeatViewChange = (r: ReplicaState): void => {
  const { change } = r
  if (change.wanted !== undefined) r.broadcastEarly({ type: 'suspect', view: change.wanted })
  if (!r.isChanging) return
  r.broadcastEarly({ type: 'startViewChange', view: r.view })
  if (change.agreed && r.primaryId !== r.self) sendDoViewChange(r)
  if (change.source !== undefined) askFor(r, change.source)
}

// ---- 3. the new primary -------------------------------------------------------------------------------------------------

export const receiveDoViewChange = (r: ReplicaState, from: NodeId, message: DoViewChange): void => {
  if (!r.isChanging) return
  r.change.received.set(from, message)
  collect(r)
}

/**
 * "When the new primary receives f + 1 DOVIEWCHANGE messages from different replicas (including itself), it sets its view-number to that in the messages
 * and selects as the new log the one contained in the message with the largest v'; if several messages have the same v' it selects the one among them with the
 * largest n." Its own counts once its view-number is durable. What it takes over goes to its disk piece by piece, under its old last normal view.
 */
export const collect = (r: ReplicaState): void => {
  const { change, configuration } = r
  if (!r.isChanging || r.primaryId !== r.self || !r.viewIsDurable) return
  const counts = (id: NodeId): boolean | undefined => id === r.self || change.received.has(id) || undefined
  if (voteResult(configuration.quorum, counts) !== 'won') return
  const best = choose(r)
  if (best === undefined) return startView(r)
  const [source, { op, part }] = best
  if (source !== change.source) r.matched = r.commit // what was taken from another may differ
  change.source = source
  takePart(r, part)
  if (r.matched < op) return askFor(r, source)
  r.truncateFrom(op + 1)
  startView(r)
}

/** Whose log is to be taken over; undefined if the own one is as good as any. */
const choose = (r: ReplicaState): readonly [NodeId, DoViewChange] | undefined => {
  let best: readonly [NodeId, DoViewChange] | undefined
  let [lastNormal, op] = [r.lastNormal, r.log.last]
  for (const [id, message] of r.change.received) {
    if (message.lastNormal < lastNormal || (message.lastNormal === lastNormal && message.op <= op)) continue
    best = [id, message]
    lastNormal = message.lastNormal
    op = message.op
  }
  return best
}

/**
 * "It sets its op-number to that of the topmost entry in the new log, sets its commit-number to the largest such number it received in the DOVIEWCHANGE
 * messages, changes its status to normal, and informs the other replicas of the completion of the view change by sending STARTVIEW messages."
 */
const startView = (r: ReplicaState): void => {
  const { log, configuration } = r
  const commit = Math.max(r.commit, ...[...r.change.received.values()].map((message) => message.commit))
  assert(commit <= log.last, `the chosen log ends at ${log.last}, before what is committed (${commit})`)
  r.matched = log.last
  r.commitTo(commit)
  r.becomeNormal()
  r.append(makeReign(r.view, r.self))
  r.matched = log.last
  r.primary = newPrimary(r)
  const part = log.suffix(commit, suffixBytes(r))
  for (const id of configuration.others(r.self)) r.sendDurable(id, { type: 'startView', view: r.view, commit, part })
}
