/** What goes into an engine and what comes out of it, in words. */
import {
  concatChunks,
  type Decided,
  type Effects,
  type Epoch,
  type Input,
  type JournalOp,
  type MembershipChange,
  type Outcome,
  type Send,
} from '@conclave/interface'
import { membersInShort } from '../node.ts'

/** What only the engine can read, in its paper's words; its messages are in those of `EngineFactory.describe`. */
export interface Words {
  /** `term 3`, `ballot 3.1`. */
  epoch(epoch: Epoch): string
  /** The journal's one record: `term 3, vote for n1`. */
  meta(bytes: Uint8Array): string
  /** What the journal holds in a slot: `batch "a" of term 1`. */
  entry(bytes: Uint8Array): string
}

/** A message in words. */
export type Describe = (message: Uint8Array) => string

const text = new TextDecoder()

export const batchInWords = (bytes: Uint8Array): string => `batch "${text.decode(bytes)}"`

export const inputInWords = (input: Input, describe: Describe): string => {
  switch (input.type) {
    case 'tick':
      return 'a tick'
    case 'receive':
      return `from ${input.from}: ${describe(input.message)}`
    case 'peer':
      return `the link to ${input.id} ${{ up: 'is made', down: 'is closed', lost: 'has dropped messages' }[input.state]}`
    case 'propose':
      return `asked, request ${input.id}: decide ${batchInWords(input.batch)}`
    case 'read':
      return `asked, request ${input.id}: a ${input.level} read`
    case 'cancel':
      return `asked: forget request ${input.id}`
    case 'reconfigure':
      return `asked, request ${input.id}: ${changeInWords(input.change)}`
    case 'transfer':
      return `asked: hand over to ${input.to}`
    case 'persisted':
      return `write ${input.write} is on disk`
    case 'disk':
      return `the disk is ${input.state}`
    case 'captured':
      return `snapshot ${input.snapshot.id} is captured at ${input.snapshot.position}`
    case 'snapshotOffered':
      return `${input.from} offers a snapshot`
    case 'snapshotReceived':
      return `the snapshot of ${input.from} is here, as ${input.id}`
    case 'snapshotSent':
      return `snapshot ${input.id} ${input.ok ? 'has arrived at' : 'did not reach'} ${input.to}`
  }
}

const changeInWords = (change: MembershipChange): string => {
  if (change.type === 'add') return `add ${change.member.id} as ${change.role}`
  return `${change.type} ${'id' in change ? change.id : change.member.id}`
}

const opInWords = (op: JournalOp, { meta, entry }: Words): string => {
  switch (op.type) {
    case 'meta':
      return `writes ${meta(op.bytes)}`
    case 'put':
      return `writes ${op.slot}: ${entry(concatChunks(op.bytes))}`
    case 'truncateFrom':
      return `cuts off all from ${op.slot}`
    case 'compactTo':
      return `forgets all up to ${op.slot}`
    case 'snapshot':
      return `names snapshot ${op.id}, which stands for all up to ${op.position}`
  }
}

const decidedInWords = (decided: Decided): string => {
  switch (decided.type) {
    case 'batch':
      return batchInWords(decided.batch)
    case 'noop':
      return 'a no-op'
    case 'reign':
      return `${decided.leader} reigns`
    case 'members':
      return `members ${membersInShort(decided.membership)}`
  }
}

const outcomeInWords = (outcome: Outcome): string => {
  switch (outcome.type) {
    case 'decided':
      return `decided at ${outcome.position}`
    case 'readAt':
      return `read at ${outcome.position}`
    case 'refused':
      return `refused, ${outcome.reason}`
    case 'unknown':
      return 'unknown'
  }
}

/** What a turn has led to, a line each; messages apart. */
export const effectsInWords = (effects: Effects, words: Words): string[] => [
  ...(effects.write?.ops ?? []).map((op) => opInWords(op, words)),
  ...(effects.restore === undefined ? [] : [`restores snapshot ${effects.restore.id}, at ${effects.restore.position}`]),
  ...effects.decide.map((decided) => `decides ${decided.position}: ${decidedInWords(decided)}`),
  ...effects.settle.map(({ id, outcome }) => `answers request ${id}: ${outcomeInWords(outcome)}`),
  ...(effects.capture === true ? ['needs a newer snapshot'] : []),
  ...(effects.sendSnapshot ?? []).map(({ to, id }) => `sends snapshot ${id} to ${to}`),
  ...(effects.answerSnapshot ?? []).map(
    ({ from, accept }) => `${accept ? 'takes' : 'declines'} the snapshot of ${from}`,
  ),
]

/**
 * The messages of a turn, the same to several nodes on one line.
 * @param waits whether those that are not early have to wait for the disk.
 */
export const sendsInWords = (sends: readonly Send[], describe: Describe, waits: boolean): string[] => {
  const lines = new Map<string, string[]>()
  for (const send of sends) {
    const what = `: ${describe(concatChunks(send.message))}${waits && send.early !== true ? ', once that is on disk' : ''}`
    lines.set(what, [...(lines.get(what) ?? []), send.to])
  }
  return [...lines].map(([what, to]) => `to ${to.join(', ')}${what}`)
}
