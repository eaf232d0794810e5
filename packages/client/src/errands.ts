import type { Cancel, Membership, MembershipChange, NodeId, Random, Refusal } from '@conclave/interface'
import { Call, type CallOptions, passing } from './call.ts'
import type { Cluster } from './cluster.ts'
import type { ChangeResult, Connection, MembersResult } from './connection.ts'
import { ClientClosed, Overloaded, Refused } from './errors.ts'
import type { MembershipNews, ReadLevel } from './protocol.ts'
import { backoff, type ClientClock } from './time.ts'

/** Errands that may wait at a time; nobody needs many. */
const maxErrands = 256
/** A transfer of leadership that has come to nothing after so many milliseconds is asked for again. */
const transferMillis = 700

export interface ErrandsInit {
  readonly cluster: Cluster
  readonly clock: ClientClock
  readonly random: Random
  readonly wake: () => void
}

/** Calls of an operator that go to the leader one by one: they look for the next leader when one is lost, each in its own way. */
export class Errands {
  readonly init: ErrandsInit
  readonly #all = new Set<Errand>()
  #open = true

  constructor(init: ErrandsInit) {
    this.init = init
  }

  get waiting(): number {
    return this.#all.size
  }

  start(errand: Errand, options: CallOptions | undefined): void {
    if (!this.#open) return errand.fail(new ClientClosed(true))
    if (this.#all.size >= maxErrands) return errand.fail(new Overloaded('too many calls wait already: await some'))
    this.#all.add(errand)
    this.init.wake()
    if (options?.signal !== undefined) errand.listen(options.signal)
    this.init.clock.defer(() => errand.go())
  }

  forget(errand: Errand): void {
    this.#all.delete(errand)
  }

  /** A connection came or went, or the leader is another. */
  changed(): void {
    for (const errand of [...this.#all]) errand.changed()
  }

  /** Gives up those whose time is up. */
  sweep(now: number): void {
    const problems = this.init.cluster.problems()
    for (const errand of [...this.#all]) if (errand.deadline <= now) errand.expire(problems)
  }

  close(): void {
    this.#open = false
    for (const errand of [...this.#all]) errand.fail(new ClientClosed(errand.definite))
  }
}

/** One of them: a step at a time, each answered, lost, or left behind by a new leader. */
export abstract class Errand extends Call {
  protected readonly owner: Errands
  readonly #reject: (error: unknown) => void
  #sentTo: Connection | undefined
  #pause: Cancel | undefined
  #failures = 0

  constructor(owner: Errands, deadline: number, reject: (error: unknown) => void) {
    super(deadline)
    this.owner = owner
    this.#reject = reject
  }

  /** Whom the next step goes to; undefined: it waits. */
  protected abstract target(): Connection | undefined
  /** Sends the next step; what comes of it is handed to `answer`, which drops it if the step was given up meanwhile. */
  protected abstract step(connection: Connection): void
  /** The step was sent to somebody who leads no more: what came of it is not known. */
  protected abstract lost(): void

  protected get sent(): boolean {
    return this.#sentTo !== undefined
  }

  protected reject(error: unknown): void {
    this.#reject(error)
  }
  protected released(): void {
    this.#pause?.()
    this.owner.forget(this)
  }

  go(): void {
    if (this.settled || this.#sentTo !== undefined || this.#pause !== undefined) return
    const connection = this.target()
    if (connection === undefined) return
    if (!connection.knowsMembership)
      return this.fail(new Refused('unsupported', 'the node is of a version that knows no change of members'))
    this.#sentTo = connection
    this.step(connection)
  }

  changed(): void {
    if (this.#sentTo !== undefined && this.#sentTo !== this.target()) {
      this.#sentTo = undefined
      this.lost()
    }
    this.#pause?.()
    this.#pause = undefined
    this.go()
  }

  /** Whether the answer of this connection is to the present step; the step is over then. */
  protected answered(from: Connection): boolean {
    if (this.settled || this.#sentTo !== from) return false
    this.#sentTo = undefined
    return true
  }

  /** The next step, a little later. */
  protected again(millis?: number): void {
    const { clock, random } = this.owner.init
    this.#pause ??= clock.after(millis ?? backoff(this.#failures++, random.next()), () => {
      this.#pause = undefined
      this.go()
    })
  }
}

/** Asks for the members. */
export class MembersErrand extends Errand {
  readonly definite = true
  readonly #level: ReadLevel
  readonly #resolve: (news: MembershipNews) => void

  constructor(
    owner: Errands,
    level: ReadLevel,
    deadline: number,
    resolve: (news: MembershipNews) => void,
    reject: (error: unknown) => void,
  ) {
    super(owner, deadline, reject)
    this.#level = level
    this.#resolve = resolve
  }

  protected target(): Connection | undefined {
    const { cluster } = this.owner.init
    return this.#level === 'local' ? cluster.anyConnection() : cluster.leaderConnection()
  }

  protected step(connection: Connection): void {
    connection.members(this.#level, (result) => {
      if (!this.answered(connection)) return
      if (result.type === 'members') {
        if (this.settle()) this.#resolve({ epoch: result.epoch, membership: result.membership })
        return
      }
      if (result.type === 'refused') {
        this.refusal = result.reason
        if (!passing(result.reason)) return this.fail(new Refused(result.reason, `refused: ${result.reason}`))
      }
      this.again()
    })
  }

  protected lost(): void {}
}

/** Whether a decided configuration shows the change as done. */
const isDone = (change: MembershipChange, { members, outgoing = [], removed = [] }: Membership): boolean => {
  switch (change.type) {
    case 'add':
      return members.some(({ id }) => id === change.member.id)
    case 'promote':
      return members.some(({ id, role, promote }) => id === change.id && (role === 'voter' || promote === true))
    case 'remove':
      return removed.includes(change.id) && !outgoing.includes(change.id) && members.every(({ id }) => id !== change.id)
    case 'update': {
      const { id, name, addresses } = change.member
      const found = members.find((member) => member.id === id)
      return found?.name === name && found.addresses.join() === addresses.join()
    }
  }
}

/**
 * Changes the membership. An attempt whose outcome is unknown is never simply repeated: the members are read first, at the leader, and tell whether it is
 * done. It is sent again only under a later reign that does not show it; should the first one take effect all the same, the second is refused,
 * because an id is never used twice.
 */
export class ChangeErrand extends Errand {
  readonly #change: MembershipChange
  readonly #resolve: () => void
  /** The reign, as known here, under which an attempt was lost. */
  #lostUnder: bigint | undefined
  #everLost = false
  /** The step under way asks for the members. */
  #looking = false
  /** Told unless the members show the change. */
  #refused: Refused | undefined
  #sentUnder = 0n

  constructor(
    owner: Errands,
    change: MembershipChange,
    deadline: number,
    resolve: () => void,
    reject: (error: unknown) => void,
  ) {
    super(owner, deadline, reject)
    this.#change = change
    this.#resolve = resolve
  }

  get definite(): boolean {
    return this.#lostUnder === undefined && (!this.sent || this.#looking)
  }

  protected target(): Connection | undefined {
    return this.owner.init.cluster.leaderConnection()
  }

  protected step(connection: Connection): void {
    this.#looking = this.#lostUnder !== undefined || this.#refused !== undefined
    if (this.#looking) {
      return connection.members('linearizable', (result) => {
        if (this.answered(connection)) this.#seen(result)
      })
    }
    this.#sentUnder = this.owner.init.cluster.leader.epoch
    connection.reconfigure(this.#change, (result) => {
      if (this.answered(connection)) this.#answer(result)
    })
  }

  protected lost(): void {
    if (this.#looking) return
    this.#lostUnder = this.#sentUnder
    this.#everLost = true
  }

  #answer(result: ChangeResult): void {
    switch (result.type) {
      case 'done':
        return this.#done()
      case 'refused':
        return this.#refuse(result.reason, result.text)
      case 'unknown':
      case 'lost':
        this.lost()
        return this.again()
    }
  }

  #refuse(reason: Refusal, text: string): void {
    this.refusal = reason
    if (passing(reason)) return this.again()
    const refused = new Refused(reason, text === '' ? `the cluster refused the change: ${reason}` : text)
    if (!this.#everLost) return this.fail(refused)
    // Maybe because an earlier attempt has done it.
    this.#refused = refused
    this.again()
  }

  #seen(result: MembersResult): void {
    if (result.type !== 'members') return this.again()
    if (isDone(this.#change, result.membership)) return this.#done()
    if (this.#refused !== undefined && this.#lostUnder === undefined) return this.fail(this.#refused)
    if (this.#lostUnder !== undefined && result.epoch > this.#lostUnder && result.membership.outgoing === undefined)
      this.#lostUnder = undefined
    this.again()
  }

  #done(): void {
    if (this.settle()) this.#resolve()
  }
}

/** Asks the leader to give leadership to a member, until that one leads. */
export class TransferErrand extends Errand {
  readonly #to: NodeId
  readonly #resolve: () => void
  #asked = false

  constructor(owner: Errands, to: NodeId, deadline: number, resolve: () => void, reject: (error: unknown) => void) {
    super(owner, deadline, reject)
    this.#to = to
    this.#resolve = resolve
  }

  get definite(): boolean {
    return !this.#asked
  }

  protected target(): Connection | undefined {
    return this.owner.init.cluster.leaderConnection()
  }

  override go(): void {
    if (this.owner.init.cluster.leader.id !== this.#to) return super.go()
    if (this.settle()) this.#resolve()
  }

  protected step(connection: Connection): void {
    this.#asked = true
    connection.transfer(this.#to, (result) => {
      if (!this.answered(connection)) return
      if (result.type === 'refused') {
        this.refusal = result.reason
        if (!passing(result.reason))
          return this.fail(new Refused(result.reason, result.text || `the leader refused: ${result.reason}`))
        return this.again()
      }
      this.again(transferMillis)
    })
  }

  protected lost(): void {}
}
