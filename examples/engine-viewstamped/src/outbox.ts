import type { Effects, JournalOp } from '@conclave/interface'

type Items<T> = T extends readonly (infer Item)[] ? Item[] : never

/** `Effects` while they are collected between two drains. */
export interface Outbox {
  readonly ops: JournalOp[]
  readonly send: Items<Effects['send']>
  decide: Items<Effects['decide']>
  readonly settle: Items<Effects['settle']>
  readonly sendSnapshot: Items<NonNullable<Effects['sendSnapshot']>>
  readonly answerSnapshot: Items<NonNullable<Effects['answerSnapshot']>>
  peers?: NonNullable<Effects['peers']>
  capture?: true
  restore?: NonNullable<Effects['restore']>
}

export const newOutbox = (): Outbox => ({
  ops: [],
  send: [],
  decide: [],
  settle: [],
  sendSnapshot: [],
  answerSnapshot: [],
})
