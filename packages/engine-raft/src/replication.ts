import type { NodeId, RequestId } from '@conclave/interface'
import { position } from '@conclave/interface'
import { committed } from '@conclave/quorum'
import { type Entry, type Term, term } from './entry.ts'
import { afterCommit } from './membership.ts'
import { appendHeadBytes, entryLengthBytes, type Message } from './messages.ts'
import { acknowledged, forgetInflight, heard, type Progress, probeFrom } from './progress.ts'
import type { LeaderRole } from './roles/role.ts'
import { sendSnapshotTo } from './snapshot.ts'
import type { RaftState } from './state.ts'

type Append = Message & { type: 'append' }
type AppendReply = Message & { type: 'appendReply' }

// ---- the follower's side ----------------------------------------------------------------------------------------------------------

/** AppendEntries at the receiver (figure 2). */
export const acceptAppend = (raft: RaftState, from: NodeId, append: Append): void => {
  const { log } = raft
  if (append.previous > log.last) return rejectAppend(raft, from, append.previous, log.last + 1, tooShort)
  // What is committed here matches every leader's log; only what lies above needs the check, and may be replaced.
  if (append.previous >= raft.commit && log.term(append.previous) !== append.previousTerm) {
    return rejectAppend(
      raft,
      from,
      append.previous,
      log.firstOfTerm(append.previous),
      log.term(append.previous) ?? tooShort,
    )
  }
  const match = append.previous + append.entries.length
  appendNew(raft, append)
  raft.commitTo(Math.min(append.commit, Math.max(match, raft.commit)))
  // Not above `match`: what follows there may be an old leader's. Not early: a duplicate of an append whose write is still in flight must wait for it.
  raft.sendDurable(from, { type: 'appendReply', term: raft.term, ok: true, match: Math.max(match, raft.commit) })
}

/** Appends what is not there yet; deletes a suffix only from the first entry that really conflicts, so that a stale append cuts nothing (section 5.3). */
const appendNew = (raft: RaftState, { previous, entries }: Append): void => {
  let at = previous
  for (const entry of entries) {
    at++
    if (at <= raft.commit) continue
    if (at <= raft.log.last) {
      if (raft.log.term(at) === entry.term) continue
      raft.truncateFrom(at)
    }
    raft.append(entry)
  }
}

/** Stands for a conflicting term where the log simply ends before: no entry has term 0. */
const tooShort = term(0)

const rejectAppend = (raft: RaftState, from: NodeId, previous: number, conflict: number, conflictTerm: Term): void => {
  raft.sendEarly(from, { type: 'appendReply', term: raft.term, ok: false, previous, conflict, conflictTerm })
}

export const acceptHeartbeat = (raft: RaftState, from: NodeId, heartbeat: Message & { type: 'heartbeat' }): void => {
  // The leader never tells more than it knows to match here in this term; the minimum only guards against a peer that lies.
  raft.commitTo(Math.min(heartbeat.commit, raft.log.last))
  const reply = { type: 'heartbeatReply', term: raft.term, round: heartbeat.round } as const
  if (!heartbeat.lease) return raft.sendEarly(from, reply)
  if (raft.promise(from)) raft.sendEarly(from, { ...reply, promise: true })
  else raft.sendDurable(from, { ...reply, promise: true })
}

// ---- the leader's side ------------------------------------------------------------------------------------------------------------

/** Sends every peer what it lacks, as far as its window allows. Called once a drain, so that the proposals of a turn share one message. */
export const replicate = (raft: RaftState, role: LeaderRole): void => {
  for (const [id, progress] of role.progress) feed(raft, id, progress)
}

const feed = (raft: RaftState, id: NodeId, progress: Progress): void => {
  if (progress.state === 'snapshot') return
  if (progress.next <= raft.log.base) return sendSnapshotTo(raft, id, progress)
  if (progress.state === 'probe') {
    if (progress.probing) return
    sendAppend(raft, id, progress, Math.min(raft.limits.messageBytes, probeBytes))
    progress.probing = true
    return
  }
  while (progress.next <= raft.log.last && progress.inflight.hasRoom(raft.limits.inflightBytes)) {
    sendAppend(raft, id, progress, raft.limits.messageBytes)
  }
}

/** A probe carries little, since it is likely to be rejected. */
const probeBytes = 64 << 10

/**
 * Asks a peer that has not answered for a while how far it has come, by an append without entries after everything that it was sent. A transport
 * may lose frames without knowing: then the answer is a rejection, and feeding begins anew where the peer says. A peer that is only slow, or
 * hangs, costs a few bytes.
 */
export const checkPeer = (raft: RaftState, id: NodeId, progress: Progress): void => {
  const previous = progress.next - 1
  const previousTerm = raft.log.term(previous)
  if (previousTerm === undefined) return // it needs a snapshot
  raft.sendEarly(id, { type: 'append', term: raft.term, previous, previousTerm, commit: raft.commit, entries: [] })
}

/** Sends the entries from `next` on that fit in `most` bytes, at least one if there is any. */
const sendAppend = (raft: RaftState, id: NodeId, progress: Progress, most: number): void => {
  const { log } = raft
  const previous = progress.next - 1
  const previousTerm = log.term(previous)
  if (previousTerm === undefined) return
  const entries: Entry[] = []
  let bytes = appendHeadBytes
  while (previous + entries.length < log.last) {
    const entry = log.entry(previous + entries.length + 1)
    if (entries.length > 0 && bytes + entryLengthBytes + entry.size > most) break
    bytes += entryLengthBytes + entry.size
    entries.push(entry)
  }
  raft.sendEarly(id, { type: 'append', term: raft.term, previous, previousTerm, commit: raft.commit, entries })
  progress.toldCommit = raft.commit
  if (entries.length === 0) return
  const last = previous + entries.length
  progress.inflight.sent(last, bytes)
  if (progress.state === 'replicate') progress.next = last + 1
}

export const receiveAppendReply = (raft: RaftState, role: LeaderRole, from: NodeId, reply: AppendReply): void => {
  const progress = role.progress.get(from)
  if (progress === undefined) return
  heard(progress)
  if (reply.ok) onMatch(raft, role, progress, reply.match)
  else onConflict(raft, progress, reply)
}

const onMatch = (raft: RaftState, role: LeaderRole, progress: Progress, match: number): void => {
  if (match > raft.log.last) return // no honest follower of this term has more than its leader
  const news = acknowledged(progress, match)
  if (progress.keep <= match) progress.keep = match < raft.commit ? match : Number.POSITIVE_INFINITY
  if (progress.state === 'snapshot') {
    if (match >= progress.snapshot || match >= raft.log.base) probeFrom(progress, match + 1)
    else return
  }
  if (progress.state === 'probe') {
    progress.state = 'replicate'
    progress.next = progress.match + 1
    progress.probing = false
    forgetInflight(progress)
  }
  if (news) advanceCommit(raft, role)
}

/**
 * Back-off by whole terms (section 5.3), one message per conflicting term: to just after our own last entry of the peer's conflicting term if we
 * have one, else to where that term begins at the peer; to its end if its log is too short.
 */
const onConflict = (raft: RaftState, progress: Progress, reply: AppendReply & { ok: false }): void => {
  if (progress.state === 'snapshot' || reply.previous <= progress.match) return // stale: that much is known to match
  if (progress.state === 'probe' && reply.previous !== progress.next - 1) return // the answer to an earlier probe
  const ours = raft.log.lastAtMost(reply.conflictTerm, reply.previous - 1)
  const shared = raft.log.term(ours) === reply.conflictTerm && ours >= reply.conflict
  probeFrom(progress, Math.min(shared ? ours + 1 : reply.conflict, reply.previous))
}

/** Commits what a quorum has, but only by counting an entry of the own term; what lies below follows by log matching (section 5.4.2, figure 8). */
export const advanceCommit = (raft: RaftState, role: LeaderRole): void => {
  const reached = committed(raft.quorum, (id) =>
    id === raft.self ? raft.stable.position : (role.progress.get(id)?.match ?? 0),
  )
  if (reached <= raft.commit || raft.log.term(reached) !== raft.term) return
  raft.commitTo(reached)
  let done = 0
  for (const proposal of role.proposals) {
    if (proposal.position > reached) break
    raft.settle(proposal.id as RequestId, { type: 'decided', position: position(proposal.position) })
    role.undecidedBytes -= proposal.size
    done++
  }
  if (done > 0) role.proposals.splice(0, done)
  afterCommit(raft, role)
}
