import { assert, type Membership, type NodeId, type Peer } from '@conclave/interface'
import { quorumOf, votersOf } from '@conclave/quorum'

interface Placed {
  readonly position: number
  readonly membership: Membership
}

/**
 * The configurations that the log holds, oldest first, from the one that held at the last snapshot. The latest is the one in use, committed or not
 * (section 6).
 */
export class Configurations {
  #placed: Placed[]
  /**
   * The first one is what a node that joins was told of the cluster, to find it: it may be incomplete or out of date, so nothing may be founded on it.
   */
  #guessed: boolean

  constructor(position: number, membership: Membership, guessed: boolean) {
    this.#placed = [{ position, membership }]
    this.#guessed = guessed
  }

  get latest(): Placed {
    const latest = this.#placed.at(-1)
    assert(latest !== undefined, 'there is always a configuration')
    return latest
  }

  append(position: number, membership: Membership): void {
    this.#placed.push({ position, membership })
  }

  truncateFrom(position: number): void {
    while (this.latest.position >= position) this.#placed.pop()
  }

  /** A snapshot stands for everything up to `position`. */
  snapshotAt(position: number): void {
    const held = this.at(position)
    assert(held !== undefined, `no configuration is known at ${position}`)
    this.#placed = [{ position, membership: held }, ...this.#placed.filter((placed) => placed.position > position)]
    this.#guessed = false // what is first now came from the log
  }

  /** Starts over from a received snapshot. */
  reset(position: number, membership: Membership): void {
    this.#placed = [{ position, membership }]
    this.#guessed = false
  }

  /** The configuration as of a position at or above the last snapshot; undefined at a node that joins, as long as it does not know. */
  at(position: number): Membership | undefined {
    const index = this.#placed.findLastIndex((placed) => placed.position <= position)
    return index === 0 && this.#guessed ? undefined : this.#placed[index]?.membership
  }

  /** Those that may still count: the last that is known to be committed, and what came after it, oldest first. */
  live(commit: number): readonly Membership[] {
    const from = this.#placed.findLastIndex((placed) => placed.position <= commit)
    return this.#placed.slice(Math.max(0, from)).map((placed) => placed.membership)
  }

  /** Everyone of the live configurations, once, as the latest describes them. */
  peers(commit: number): ReadonlyMap<NodeId, Peer> {
    const peers = new Map<NodeId, Peer>()
    for (const { members } of this.live(commit)) for (const member of members) peers.set(member.id, member)
    return peers
  }

  /**
   * Whether `id` counts in some live configuration. The latest alone would not do: a voter that has a configuration without itself, not yet
   * committed, may be the only one that can be elected, since its log is longer than those of the others (dissertation, section 4.2.2).
   */
  counts(id: NodeId, commit: number): boolean {
    return this.live(commit).some((membership) => votersOf(quorumOf(membership)).includes(id))
  }
}
