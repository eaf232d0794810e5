import { type AdmissionId, type CallId, type Epoch, type Refusal, unreachable } from '@conclave/interface'
import type { CallReply, ChubbyCall, Notice } from '../calls.ts'
import type { ChubbyCommand } from '../commands.ts'
import type { ChubbyView, SessionView } from '../view.ts'
import { Admissions } from './admissions.ts'
import { Caches } from './caches.ts'
import { sessionOf } from './commands.ts'
import { type HeldCall, Lease } from './lease.ts'
import { Rounds } from './rounds.ts'

/** So often, in milliseconds, it is looked whether sessions came or went unnoticed. */
const reconcileMillis = 1000

export interface ReignInit {
  readonly epoch: Epoch
  readonly view: ChubbyView
  readonly now: number
  /** Takes the number of admissions of the service's own, which no driver gives. */
  readonly ownAdmission: () => AdmissionId
  readonly answer: (call: CallId, reply: CallReply) => void
  readonly admitted: (admission: AdmissionId, refused?: Refusal) => void
  readonly propose: (command: ChubbyCommand) => void
}

/**
 * How long before its end a lease is extended. Two thirds of it: so much, less drift and the way, is left to a client for the next leader to be found, and to stop in good order what its
 * locks guard if none is.
 */
const marginOf = (lease: number): number => (lease * 2) / 3

/**
 * What the leader keeps for one reign, from its first decided entry on. It begins as section 2.9 of the Chubby paper has it: every session gets a whole lease anew, is told of the
 * fail-over, and counts as caching everything until it has acknowledged that.
 */
export class Reign {
  readonly #init: ReignInit
  readonly #leases = new Map<bigint, Lease>()
  /** Whose KeepAlive each held call is. */
  readonly #held = new Map<CallId, Lease>()
  /** Their leases are over, and the log is to say so. */
  readonly #expiring = new Map<Lease, AdmissionId>()
  /** Who was told something in this step. */
  readonly #told = new Set<Lease>()
  readonly #caches = new Caches()
  readonly #rounds = new Rounds()
  readonly #admissions: Admissions
  #time: number
  #reconciledAt: number
  /** When the first lock-delay that somebody waits for is over. */
  #liftAt: number | undefined

  constructor(init: ReignInit) {
    this.#init = init
    this.#time = init.now
    this.#reconciledAt = init.now
    this.#admissions = new Admissions({
      view: init.view,
      caches: this.#caches,
      invalidate: (lease, path) => this.#tell(lease, { type: 'invalidate', path }),
      leases: () => this.#leases.values(),
      leaseOf: (session) => this.#leaseOf(session),
      ended: (lease) => this.#forget(lease),
    })
    init.view.takeEvents()
    for (const session of init.view.sessions()) {
      const lease = this.#begin(session)
      lease.owed = true
      this.#caches.suspect(lease, lease.tell({ type: 'failedOver' }))
    }
    this.#planLift()
  }

  /** The time of what comes next. */
  at(time: number): void {
    this.#time = time
  }

  /** To be called after what the turn brought. @returns the number of a round that is to begin now. */
  end(): number | undefined {
    this.#admissions.run()
    for (const lease of this.#told) this.#hurry(lease)
    this.#told.clear()
    return this.#rounds.begin(this.#time)
  }

  // ---- sessions -----------------------------------------------------------------------------------------------------------------------

  /** A session has its first lease from when the leader learned of it, which is after the client asked for it. */
  #begin(session: SessionView): Lease {
    const lease = new Lease(session, this.#time + session.lease)
    this.#leases.set(session.id, lease)
    return lease
  }

  #leaseOf(id: bigint): Lease | undefined {
    const session = this.#init.view.session(id)
    if (session === undefined) return undefined
    const lease = this.#leases.get(id)
    return lease?.session.principal === session.principal ? lease : this.#begin(session)
  }

  #tell(lease: Lease, notice: Notice): number {
    if (lease.full) {
      const serial = lease.collapse()
      this.#caches.suspect(lease, serial)
    }
    this.#told.add(lease)
    return lease.tell(notice)
  }

  /** It is gone from the state. */
  #forget(lease: Lease): void {
    if (this.#leases.get(lease.session.id) === lease) this.#leases.delete(lease.session.id)
    this.#caches.drop(lease)
    const expiry = this.#expiring.get(lease)
    this.#expiring.delete(lease)
    if (expiry !== undefined) this.#admissions.settled(expiry, true)
    this.#admissions.look()
    this.#release(lease, { type: 'refused', problem: 'no-session' })
  }

  /** Something was applied. */
  applied(): void {
    const { view } = this.#init
    for (const { session, event } of view.takeEvents()) {
      const lease = this.#leaseOf(session)
      if (lease !== undefined) this.#tell(lease, event)
    }
    for (const lease of [...this.#expiring.keys()])
      if (view.session(lease.session.id) === undefined) this.#forget(lease)
    this.#planLift()
  }

  /** Leases whose sessions are gone, and sessions that nobody has spoken for yet. */
  #reconcile(): void {
    if (this.#time - this.#reconciledAt < reconcileMillis) return
    this.#reconciledAt = this.#time
    const { view } = this.#init
    for (const lease of [...this.#leases.values()])
      if (view.session(lease.session.id) === undefined) this.#forget(lease)
    for (const session of view.sessions()) if (!this.#leases.has(session.id)) this.#begin(session)
  }

  tick(): void {
    this.#rounds.retry()
    this.#reconcile()
    for (const lease of this.#leases.values()) {
      const left = lease.end - this.#time
      const { held } = lease
      // A client that is there gets its answer before anything else is made of its lease: as soon as the reign is confirmed.
      if (held !== undefined && !lease.isDeaf(this.#time) && !this.#isEnding(lease)) {
        if (lease.owed || left <= marginOf(lease.session.lease)) this.#extend(lease, held)
      } else if (left <= 0 && !lease.extending && !this.#expiring.has(lease)) this.#expire(lease)
    }
    if (this.#liftAt === undefined || this.#time < this.#liftAt) return
    this.#liftAt = undefined
    this.#init.propose({ type: 'lift', epoch: this.#init.epoch })
  }

  /** Its lease is over. The log decides it, since a later reign may have heard of the client. */
  #expire(lease: Lease): void {
    const command: ChubbyCommand = { type: 'expire', session: lease.session.id, epoch: this.#init.epoch }
    const id = this.#init.ownAdmission()
    this.#expiring.set(lease, id)
    lease.closing = true
    // It must not use its cache any more, and is waited for no longer.
    this.#caches.drop(lease)
    this.#admissions.look()
    this.#admissions.add(id, command, lease.session.principal, lease, () => this.#init.propose(command))
  }

  /** A plan is never put off: log time stands still while nothing of this machine is applied, and so does what is left of a delay by it. */
  #planLift(): void {
    const delay = this.#init.view.nextLift()
    this.#liftAt = delay === undefined ? undefined : Math.min(this.#liftAt ?? Infinity, this.#time + delay)
  }

  // ---- calls --------------------------------------------------------------------------------------------------------------------------

  ask(call: CallId, principal: string, request: ChubbyCall): void {
    switch (request.type) {
      case 'keepAlive':
        return this.#keepAlive(call, principal, request)
      case 'read':
        return this.#read(call, principal, request)
      case 'query':
        return this.#rounds.await(() =>
          this.#init.answer(call, { type: 'answer', reply: this.#init.view.answer(request.query, principal) }),
        )
      default:
        return unreachable(request)
    }
  }

  withdrawn(call: CallId): void {
    const lease = this.#held.get(call)
    this.#held.delete(call)
    if (lease?.held?.call === call) lease.held = undefined
  }

  /** That there is no such session is said only by who certainly reigns: an old leader may not have heard of it. */
  #unknown(call: CallId): void {
    this.#rounds.await(() => this.#init.answer(call, { type: 'refused', problem: 'no-session' }))
  }

  #keepAlive(call: CallId, principal: string, request: ChubbyCall & { type: 'keepAlive' }): void {
    const lease = this.#leaseOf(request.session)
    if (lease === undefined || lease.session.principal !== principal) return this.#unknown(call)
    // A client has one under way: an older one is no longer waited for.
    this.#release(lease, this.#alive(lease, 0, 0))
    lease.held = { call, since: this.#time }
    this.#held.set(call, lease)
    if (request.epoch === this.#init.epoch && lease.acknowledge(request.acked)) {
      this.#caches.acknowledged(lease)
      this.#admissions.look()
    }
    this.#hurry(lease)
  }

  /** Notices leave at once. That extends no lease, for which the reign has to be confirmed; unless half of it is over, since they may never cease. */
  #hurry(lease: Lease): void {
    const { held } = lease
    if (held === undefined || lease.extending || !lease.pending) return
    const isLate = lease.end - this.#time <= lease.session.lease / 2
    if (isLate && !lease.isDeaf(this.#time) && !this.#isEnding(lease)) return this.#extend(lease, held)
    this.#release(lease, this.#alive(lease, 0, 0))
  }

  /** Answers the KeepAlive that is held, if there is one. */
  #release(lease: Lease, reply: CallReply): void {
    const { held } = lease
    if (held === undefined) return
    lease.held = undefined
    this.#held.delete(held.call)
    this.#init.answer(held.call, reply)
  }

  #extend(lease: Lease, held: HeldCall): void {
    if (lease.extending || this.#isEnding(lease)) return
    lease.extending = true
    this.#rounds.await((began) => {
      lease.extending = false
      // What it is to be told has waited for the round.
      if (this.#isEnding(lease) || lease.held !== held) return this.#hurry(lease)
      // It was ended from elsewhere: what it held may be another's already.
      if (this.#init.view.session(lease.session.id) === undefined) return this.#forget(lease)
      const { lease: length } = lease.session
      lease.extend(began + length)
      lease.owed = false
      this.#release(lease, this.#alive(lease, length, began - held.since))
    })
  }

  /** Also while what would end it waits for other commands of its session. */
  #isEnding(lease: Lease): boolean {
    return lease.closing || this.#expiring.has(lease)
  }

  #alive(lease: Lease, length: number, heldFor: number): CallReply {
    return { type: 'alive', epoch: this.#init.epoch, lease: length, heldFor, notices: lease.batch(this.#time) }
  }

  /** A read enters its cacher before it reads, so that no change passes between the two unseen. */
  #read(call: CallId, principal: string, { session, path }: ChubbyCall & { type: 'read' }): void {
    const lease = this.#leaseOf(session)
    if (lease === undefined || lease.session.principal !== principal) return this.#unknown(call)
    this.#caches.enter(lease, path)
    this.#rounds.await(() => {
      const file = this.#init.view.file(path, principal)
      if (typeof file === 'string') return this.#init.answer(call, { type: 'refused', problem: file })
      // Whoever was told to drop it meanwhile is no cacher any more.
      const cacheable = lease.cached.has(path)
      this.#init.answer(call, { type: 'file', cacheable, ...(file === undefined ? {} : { file }) })
    })
  }

  // ---- commands -----------------------------------------------------------------------------------------------------------------------

  admit(admission: AdmissionId, principal: string, command: ChubbyCommand): void {
    const session = sessionOf(command)
    // Only the leader itself says that a session's time is over, or a lock's.
    if (session === undefined) return this.#init.admitted(admission, 'invalid')
    const lease = this.#leaseOf(session)
    // Behind the creation of a session it would speak for whoever creates that.
    const known = lease?.session.principal ?? this.#admissions.creatorOf(session)
    const creator = command.type === 'createSession' ? command.principal : undefined
    const owner = known ?? creator
    // Nor does anybody create a session that is another's: it would stand in the way of whatever ends that one.
    if ([owner, creator].some((each) => each !== undefined && each !== principal))
      return this.#init.admitted(admission, 'invalid')
    // For a session that is not there it does nothing, and goes at once, before anybody can create one.
    if (owner === undefined) return this.#init.admitted(admission)
    this.#admissions.add(admission, command, principal, lease, (refused) => this.#init.admitted(admission, refused))
  }

  settled(admission: AdmissionId, outcome: 'applied' | 'refused' | 'unknown'): void {
    this.#admissions.settled(admission, outcome !== 'unknown')
  }

  confirmed(round: number, reigns: boolean): void {
    this.#rounds.ended(round, reigns)
  }
}
