import type { Decided, Membership, NodeId } from '@conclave/interface'
import type { Subject } from './subject.ts'

/** What holds for any run of any consensus engine; it throws at the first thing that does not. */
export class Invariants {
  /** What was ever decided at a position, anywhere. */
  readonly truth: string[] = []
  restored = 0
  /** What was served or done, to see that a run is not idle. */
  readonly done = { leaseReads: 0, changes: 0, promotions: 0, removals: 0 }
  readonly #epochs: bigint[] = []
  readonly #leaders = new Map<bigint, NodeId>()
  readonly #decidedBatches = new Set<string>()
  readonly #refused = new Set<string>()
  readonly #unknown = new Set<string>()
  /** Configurations by position; the founders at 0. */
  readonly #configurations = new Map<number, Membership>()

  readonly #subject: Subject

  constructor(subject: Subject, founders: Membership) {
    this.#subject = subject
    this.#configurations.set(0, founders)
  }

  get decided(): number {
    return Math.max(0, this.truth.length - 1)
  }

  get membership(): Membership {
    return this.membershipAt(this.decided)
  }

  membershipAt(position: number): Membership {
    let [at, found] = [-1, this.#configurations.get(0)]
    for (const [placed, membership] of this.#configurations)
      if (placed <= position && placed > at) [at, found] = [placed, membership]
    if (found === undefined) throw new Violation('there are always founders')
    return found
  }

  leads(id: NodeId, epoch: bigint): void {
    const other = this.#leaders.get(epoch) ?? id
    check(other === id, `${id} and ${other} both lead in epoch ${epoch}`)
    this.#leaders.set(epoch, id)
  }

  decide(id: NodeId, decided: Decided): void {
    const { position, epoch } = decided
    const is = `${epoch} ${decided.type} ${content(decided)}`
    const was = this.truth[position]
    check(was === undefined || was === is, `${position} was decided as "${was}", and as "${is}" at ${id}`)
    check(was !== undefined || position === this.decided + 1, `${id} decides ${position}, after ${this.decided}`)
    check(epoch >= (this.#epochs[position - 1] ?? 0n), `the epoch falls at ${position}`)
    if (was === undefined && decided.type === 'members') this.#configured(position, decided.membership)
    this.truth[position] = is
    this.#epochs[position] = epoch
    if (decided.type !== 'batch') return
    check(!this.#refused.has(text(decided.batch)), `"${text(decided.batch)}" was refused, and is decided`)
    this.#decidedBatches.add(text(decided.batch))
  }

  #configured(position: number, next: Membership): void {
    const before = this.membership
    const voters = ({ members }: Membership) => members.filter(({ role }) => role === 'voter').map(({ id }) => id)
    const [old, now] = [voters(before), voters(next)]
    check(now.length > 0, `no voter is left at ${position}`)
    this.#subject.configured?.(position, before, next)
    for (const { id, name } of next.members) {
      check(!before.removed?.includes(id), `${id} is back at ${position}`)
      check(!this.#refused.has(name), `the change to ${name} was refused, and is decided`)
    }
    this.done.changes++
    if (now.length > old.length) this.done.promotions++
    if ((next.removed?.length ?? 0) > (before.removed?.length ?? 0)) this.done.removals++
    this.#configurations.set(position, next)
  }

  settledDecided(batch: string, position: number): void {
    check(
      this.truth[position]?.endsWith(` batch ${batch}`) === true,
      `"${batch}" is not what is decided at ${position}`,
    )
  }

  /** A change that somebody asked for is done, at the configuration that ends it. */
  changed(position: number, holds: (membership: Membership) => boolean): void {
    const membership = this.#configurations.get(position)
    check(
      membership !== undefined && holds(membership),
      `a change is said to end at ${position}, which does not show it`,
    )
    check(membership?.outgoing === undefined, `a change is said to end at ${position}, where it is joint`)
  }

  refuse(batch: string): void {
    check(!this.#decidedBatches.has(batch), `"${batch}" is decided, and refused`)
    for (const { members } of this.#configurations.values())
      check(!members.some(({ name }) => name === batch), `the change to ${batch} is decided, and refused`)
    this.#refused.add(batch)
  }

  unknown(batch: string): void {
    this.#unknown.add(batch)
  }

  /** Nobody is told any more that this batch is decided: whoever wants it has to propose it again. */
  givenUp(batch: string): boolean {
    return this.#refused.has(batch) || this.#unknown.has(batch)
  }

  /** @param membership undefined if a later one may be known there already. */
  restore(id: NodeId, position: number, epoch: bigint, membership: Membership | undefined): void {
    this.restored++
    check(this.#epochs[position] === epoch, `${id} restores ${position} of epoch ${epoch}, which was never decided`)
    check(
      membership === undefined || JSON.stringify(membership) === JSON.stringify(this.membershipAt(position)),
      `${id} restores ${position} with other members: ${JSON.stringify(membership)}`,
    )
  }
}

export class Violation extends Error {
  override readonly name = 'Violation'
}
export const check = (holds: boolean, message: string): void => {
  if (!holds) throw new Violation(message)
}
const decoder = new TextDecoder()
const text = (bytes: Uint8Array): string => decoder.decode(bytes)
const content = (decided: Decided): string => {
  if (decided.type === 'batch') return text(decided.batch)
  return decided.type === 'members' ? JSON.stringify(decided.membership) : ''
}
