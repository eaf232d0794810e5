import type { Clock, Logger, Membership, NodeId, Peer } from '@conclave/interface'
import type { Host } from '@conclave/transport-libp2p'
import { recordChange, recordRemoved } from './data-directory.ts'
import { askMember, Inquiry } from './inquiry.ts'
import type { Roster } from './roster.ts'

/** A removed node goes on so long: a leader that was removed still has to tell the others that it is decided. */
const leaveMillis = 1000

export interface BelongingInit {
  readonly self: NodeId
  readonly name: string
  readonly cluster: string
  /** The data directory. */
  readonly data: string
  /** The ids of those who found the cluster; undefined for a node that joins. */
  readonly founders: ReadonlySet<string> | undefined
  readonly roster: Roster
  readonly host: Host
  readonly clock: Clock
  readonly logger: Logger
  /** The gate has opened or closed for somebody. */
  readonly relink: () => void
  /** Other members are decided. */
  readonly changed: (membership: Membership) => void
  /** This node is no member any more, and has had its time to say so. Called once. */
  readonly leave: () => void
}

/** Whether this node belongs to the cluster, and what follows when it does not yet, or not any more. */
export class Belonging {
  readonly #init: BelongingInit
  readonly #inquiry: Inquiry
  #recorded: Promise<void> = Promise.resolve()
  #cancel: () => void = () => {}
  #role: string
  #removed: string | undefined

  constructor(init: BelongingInit) {
    this.#init = init
    this.#role = this.#roleIn(init.roster.decided)
    const { host, cluster, roster, clock } = init
    this.#inquiry = new Inquiry({
      clock,
      trusted: () => this.#trusted(),
      ask: (peer, signal) => askMember(host, cluster, peer, signal),
      learned: (membership) => this.#heard(membership, roster),
    })
  }

  /** Why this node is no member any more; undefined as long as it may be one. */
  get removed(): string | undefined {
    return this.#removed
  }

  /** Says what a node that is not added yet waits for. */
  started(): void {
    const { self, name, host, logger } = this.#init
    if (this.#role !== 'none') return
    const [address = `…/p2p/${self}`] = host.addresses()
    logger.info({ name, id: self }, `this node waits to be added: conclave member add ${name}=${address}`)
  }

  /** Somebody unknown was turned away at the gate. */
  knocked(peer: NodeId): void {
    if (this.#removed === undefined && !this.#init.roster.isMember(peer) && !this.#init.roster.wasMember(peer))
      this.#inquiry.knocked()
  }

  /** A peer does not welcome this node, because it was removed. */
  refusedBy(peer: NodeId): void {
    const name = this.#init.roster.find(peer)?.name ?? peer
    this.#leave(`${name} says so`)
  }

  /** A configuration is decided. */
  decided(membership: Membership): void {
    const { roster, self, name, founders, logger, data } = this.#init
    roster.decide(membership)
    const role = this.#roleIn(membership)
    if (role !== this.#role && role !== 'none') logger.info({ name, role }, `this node is a ${role} now`)
    this.#role = role
    const ids = membership.members.map(({ id }) => id)
    if (founders !== undefined && (ids.length !== founders.size || ids.some((id) => !founders.has(id))))
      this.#record(() => recordChange(data))
    this.#init.relink()
    this.#init.changed(membership)
    if (membership.removed?.includes(self) === true) this.#leave('the members have decided it')
  }

  #roleIn({ members }: Membership): string {
    return members.find(({ id }) => id === this.#init.self)?.role ?? 'none'
  }

  #trusted(): readonly Peer[] {
    const { roster } = this.#init
    const links = roster.links()
    return links.length > 0 ? links : roster.members().filter(({ id }) => id !== this.#init.self)
  }

  #heard(membership: Membership, roster: Roster): boolean {
    const news = roster.hear(membership)
    if (news) this.#init.relink()
    if (membership.removed?.includes(this.#init.self) === true) this.#leave('a member says so')
    return news
  }

  #leave(why: string): void {
    if (this.#removed !== undefined) return
    this.#removed = why
    const { cluster, data, logger, clock, name } = this.#init
    logger.error(
      { name, cluster, why },
      `this node was removed from the cluster: ${why}. It serves nothing any more and can be stopped; its data are not needed`,
    )
    this.#record(() => recordRemoved(data))
    this.#cancel = clock.after(leaveMillis, () => this.#init.leave())
  }

  /** One after the other. What cannot be written is found out again at the next start. */
  #record(write: () => Promise<void>): void {
    this.#recorded = this.#recorded.then(write).catch((error: unknown) => {
      this.#init.logger.warn({ err: error }, 'the change of members could not be recorded beside the journal')
    })
  }

  /** Settles when nothing is under way any more. */
  async close(): Promise<void> {
    this.#cancel()
    await this.#inquiry.close()
    await this.#recorded
  }
}
