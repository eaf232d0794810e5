import { assert } from '@conclave/interface'
import type { LeaderRole } from './roles/role.ts'
import type { ZabState } from './state.ts'
import { makeTransaction, type TransactionKind } from './transaction.ts'

/** Counters that are left to end what has begun. */
const reserve = 16

/** Whether the epoch has hardly a counter left: then the leader begins a new one, and takes nothing before. */
export const isUsedUp = (zab: ZabState, role: LeaderRole): boolean => {
  if (zab.history.nextZxid(role.epoch).counter > zab.mostCounter - reserve) role.exhausted = true
  return role.exhausted
}

/** Gives the next zxid of the epoch to a transaction, and appends it. The followers get it with the next `replicate`. */
export const proposeTransaction = (
  zab: ZabState,
  role: LeaderRole,
  kind: TransactionKind,
  payload: Uint8Array,
): number => {
  assert(role.phase === 'broadcast', 'nothing is proposed before a quorum follows')
  return zab.append(makeTransaction(zab.history.nextZxid(role.epoch), kind, payload))
}
