import { type MemberRole, type MembershipChange, type NodeId, nodeId, type Peer } from '@conclave/interface'
import type { CallOptions } from './call.ts'
import { ChangeErrand, type Errands, MembersErrand, TransferErrand } from './errands.ts'
import { Aborted } from './errors.ts'
import { maxAddressBytes, maxAddresses } from './fields.ts'
import { checkedLevel, type MembershipNews, type ReadLevel } from './protocol.ts'

export interface AddOptions extends CallOptions {
  /** Default `voter`: a learner first, which becomes a voter by itself once it has caught up. */
  readonly role?: MemberRole
}

export interface MembersOptions extends CallOptions {
  /** Default `linearizable`. `local`: as the asked node knows them, leader or not. */
  readonly level?: ReadLevel
}

/** A member as an operator names it. */
export interface NewMember {
  /** The node's peer id: what `conclave init` prints behind `/p2p/`. */
  readonly id: string
  /** 1 to 63 characters of `[0-9a-zA-Z._-]`, unique within the cluster. */
  readonly name: string
  /** Multiaddrs, 1 to 16; `/p2p/ID` may stand at their ends. */
  readonly addresses: readonly string[]
}

const bytesOf = new TextEncoder()

/** @throws RangeError if it could not be told to a node. */
const checkedMember = ({ id, name, addresses }: NewMember): Peer => {
  if (!/^[0-9a-zA-Z._-]{1,63}$/.test(name))
    throw new RangeError(`a member's name has 1 to 63 characters of 0-9 a-z A-Z . _ -, got ${JSON.stringify(name)}`)
  if (addresses.length < 1 || addresses.length > maxAddresses)
    throw new RangeError(`a member has 1 to ${maxAddresses} addresses, got ${addresses.length}`)
  return { id: checkedId(id), name, addresses: addresses.map((address) => bareAddress(address, id)) }
}

const bareAddress = (address: string, id: string): string => {
  const [, bare, named] = /^(\/(?:ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/\d{1,5})(?:\/p2p\/(.+))?$/.exec(address) ?? []
  if (bare === undefined || bytesOf.encode(bare).length > maxAddressBytes)
    throw new RangeError(`"${address}" is no multiaddr such as /ip4/192.168.1.10/tcp/7400`)
  if (named !== undefined && named !== id)
    throw new RangeError(`"${address}" is the address of another node than ${id}`)
  return bare
}

/** @throws RangeError unless it looks like a peer id. */
const checkedId = (id: string): NodeId => {
  if (!/^[1-9A-HJ-NP-Za-km-z]{16,128}$/.test(id)) throw new RangeError(`${JSON.stringify(id)} is no peer id`)
  return nodeId(id)
}

export interface MembershipInit {
  readonly errands: Errands
  /** What `connect` was told. */
  readonly timeout: number
}

/**
 * The members of the cluster, and their changes: one at a time, by whoever leads. A change that resolved is decided; one that rejects with
 * `definite: false` may have happened, or may yet: `get` tells.
 */
export class ClusterMembership {
  readonly #init: MembershipInit

  constructor(init: MembershipInit) {
    this.#init = init
  }

  /** The configuration decided last. @throws Unavailable, Refused, Aborted, ClientClosed. */
  get(options: MembersOptions = {}): Promise<MembershipNews> {
    const level = checkedLevel(options.level)
    return this.#call(
      options,
      (deadline, resolve, reject) => new MembersErrand(this.#init.errands, level, deadline, resolve, reject),
    )
  }

  /**
   * Adds a member. It is decided when the cluster replicates to it; as a voter it counts in no quorum before it has caught up (`get` shows
   * `promote`, then `voter`). A machine that lost its disk comes as a new member, under a new id.
   * @throws RangeError; Refused if the id was a member before, or the name is taken; as `get`.
   */
  async add(member: NewMember, options: AddOptions = {}): Promise<void> {
    const { role = 'voter' } = options
    if (role !== 'voter' && role !== 'learner') throw new RangeError(`a role is voter or learner, got ${String(role)}`)
    return this.#change({ type: 'add', member: checkedMember(member), role }, options)
  }

  /** Makes a learner a voter, once it has caught up. @throws as `add`. */
  async promote(id: string, options?: CallOptions): Promise<void> {
    return this.#change({ type: 'promote', id: checkedId(id) }, options)
  }

  /** Removes a member for good, maybe the leader itself: another is elected then. @throws as `add`; Refused for the last voter. */
  async remove(id: string, options?: CallOptions): Promise<void> {
    return this.#change({ type: 'remove', id: checkedId(id) }, options)
  }

  /** Gives a member other addresses, or another name. @throws as `add`. */
  async update(member: NewMember, options?: CallOptions): Promise<void> {
    return this.#change({ type: 'update', member: checkedMember(member) }, options)
  }

  /** Gives leadership to a voter; resolves when it leads. @throws Refused if it is none; as `get`. */
  async moveLeader(to: string, options?: CallOptions): Promise<void> {
    const id = checkedId(to)
    return this.#call<void>(
      options,
      (deadline, resolve, reject) => new TransferErrand(this.#init.errands, id, deadline, resolve, reject),
    )
  }

  #change(change: MembershipChange, options: CallOptions | undefined): Promise<void> {
    return this.#call<void>(
      options,
      (deadline, resolve, reject) => new ChangeErrand(this.#init.errands, change, deadline, resolve, reject),
    )
  }

  #call<T>(
    options: CallOptions | undefined,
    make: (
      deadline: number,
      resolve: (value: T) => void,
      reject: (error: unknown) => void,
    ) => Parameters<Errands['start']>[0],
  ): Promise<T> {
    const { errands, timeout: standard } = this.#init
    return new Promise((resolve, reject) => {
      if (options?.signal?.aborted) return reject(new Aborted(true, options.signal.reason))
      const timeout = options?.timeout ?? standard
      if (!(timeout >= 0)) throw new RangeError(`a time-out is a number of milliseconds, got ${timeout}`)
      errands.start(make(errands.init.clock.now() + timeout, resolve, reject), options)
    })
  }
}
