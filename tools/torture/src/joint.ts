import type { Membership } from '@conclave/interface'
import { check } from './invariants.ts'

const voters = ({ members }: Membership) => members.filter(({ role }) => role === 'voter').map(({ id }) => id)

/** `Subject.configured` of engines with joint consensus: the voters change in two steps, one change at a time (Raft, section 6). */
export const changesAreJoint = (position: number, before: Membership, next: Membership): void => {
  const [old, now] = [voters(before), voters(next)]
  const same = old.length === now.length && old.every((id) => now.includes(id))
  check(before.outgoing === undefined || next.outgoing === undefined, `two changes at once at ${position}`)
  check(same || next.outgoing !== undefined, `the voters change in one step at ${position}`)
  check(
    next.outgoing === undefined || String(next.outgoing) === String(old),
    `${next.outgoing} leave at ${position}, where the voters were ${old}`,
  )
}
