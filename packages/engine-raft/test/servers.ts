import type { Membership } from '@conclave/interface'
import * as torture from '@conclave/torture'
import { check, type Make, type Subject } from '@conclave/torture'
import { raft } from '../src/index.ts'
import { decodeMessage, type Message } from '../src/messages.ts'

const voters = ({ members }: Membership) => members.filter(({ role }) => role === 'voter').map(({ id }) => id)

export const subject: Subject<Message> = {
  factory: raft,
  decode: decodeMessage,
  campaigns: ({ type }) => type === 'vote',
  /** Joint consensus (section 6): the voters change in two steps, one change at a time. */
  configured: (position, before, next) => {
    const [old, now] = [voters(before), voters(next)]
    const same = old.length === now.length && old.every((id) => now.includes(id))
    check(before.outgoing === undefined || next.outgoing === undefined, `two changes at once at ${position}`)
    check(same || next.outgoing !== undefined, `the voters change in one step at ${position}`)
    check(
      next.outgoing === undefined || String(next.outgoing) === String(old),
      `${next.outgoing} leave at ${position}, where the voters were ${old}`,
    )
  },
}

export type Server = torture.Node<Message>
export type Flying = torture.Flying<Message>

/** A few servers and the messages between them, delivered when the test says so. */
export class Servers extends torture.Cluster<Message> {
  constructor(count: number, make: Make = {}) {
    super(subject, count, make)
  }
}

/** One server of three, n1, and what it says. */
export const lone = (make: Make & { readonly count?: number } = {}) => {
  const { node, said, reply } = torture.lone(subject, make)
  return { server: node, said, reply }
}
