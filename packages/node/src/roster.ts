import type { MemberNews } from '@conclave/client/protocol'
import type { Membership, NodeId, Peer } from '@conclave/interface'

/** Addresses told of one member. */
const mostAddresses = 16

/**
 * Who belongs to the cluster as far as this node knows: the members of its configuration file, of the configurations in its log, and of what a member has
 * told it (`hearsay`), without those of whom it knows that they were removed. Who may vote is no matter of the gate: the engine judges that.
 */
export class Roster {
  readonly #self: NodeId
  readonly #configured: readonly MemberNews[]
  #decided: Membership
  /** Everyone in the configuration that the engine uses, decided or not. */
  #peers: readonly Peer[] = []
  #hearsay: Membership = { members: [] }

  /** @param decided what the journal begins with: the founders, or for a node that joins, those that it was told of. */
  constructor(self: NodeId, configured: readonly MemberNews[], decided: Membership) {
    this.#self = self
    this.#configured = configured
    this.#decided = decided
  }

  /** The configuration decided last. */
  get decided(): Membership {
    return this.#decided
  }

  decide(membership: Membership): void {
    this.#decided = membership
  }

  /** What the engine holds links to. */
  setPeers(peers: readonly Peer[]): void {
    this.#peers = peers
  }

  /** A member told of these. True if somebody is new. */
  hear(membership: Membership): boolean {
    const news =
      membership.members.some(({ id }) => !this.isMember(id)) ||
      (membership.removed ?? []).some((id) => !this.wasMember(id))
    this.#hearsay = membership
    return news
  }

  /** An engine may hold on to one that leaves until it has been told so: as long as it does, it is let in. */
  wasMember(id: NodeId): boolean {
    if (this.#peers.some((peer) => peer.id === id)) return false
    return this.#decided.removed?.includes(id) === true || this.#hearsay.removed?.includes(id) === true
  }

  isMember(id: NodeId): boolean {
    if (this.wasMember(id)) return false
    const lists: readonly (readonly { readonly id: NodeId }[])[] = [
      this.#decided.members,
      this.#peers,
      this.#configured,
      this.#hearsay.members,
    ]
    return (
      lists.some((list) => list.some((member) => member.id === id)) || this.#decided.outgoing?.includes(id) === true
    )
  }

  /** Whom to hold links to: the engine's peers, and those that it has not heard of yet but must be able to answer. */
  links(): readonly Peer[] {
    const links = new Map<NodeId, Peer>()
    for (const { id, name, addresses } of [...this.#peers, ...this.#hearsay.members]) {
      if (id === this.#self || links.has(id) || this.wasMember(id)) continue
      links.set(id, { id, name, addresses: this.addressesOf(id, addresses) })
    }
    return [...links.values()]
  }

  /** The members as clients are told of them. */
  members(): readonly MemberNews[] {
    return this.#decided.members.map(({ id, name, addresses }) => ({
      id,
      name,
      addresses: this.addressesOf(id, addresses),
    }))
  }

  /** Where a member may be found: what this node's own configuration says of it goes first. */
  addressesOf(id: NodeId, decided: readonly string[] = []): readonly string[] {
    const own = this.#configured.find((member) => member.id === id)?.addresses ?? []
    return [...new Set([...own, ...decided])].slice(0, mostAddresses)
  }

  find(id: NodeId | undefined): MemberNews | undefined {
    const known = [...this.#decided.members, ...this.#hearsay.members, ...this.#configured]
    const member = known.find((other) => other.id === id)
    return member && { id: member.id, name: member.name, addresses: this.addressesOf(member.id, member.addresses) }
  }
}
