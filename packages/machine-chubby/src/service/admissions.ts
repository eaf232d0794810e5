import type { AdmissionId, Refusal } from '@conclave/interface'
import type { ChubbyCommand } from '../commands.ts'
import type { ChubbyView } from '../view.ts'
import type { Caches, Touched } from './caches.ts'
import { laneOf } from './commands.ts'
import type { Lease } from './lease.ts'

/** A command on its way: `waiting` for its turn, `flushing` caches, `open` in the log. */
interface Admission {
  readonly command: ChubbyCommand
  /** Whose it is. */
  readonly principal: string
  readonly lane: string
  /** Lets it go, or refuses it. */
  readonly go: (refused?: Refusal) => void
  /** Undefined: of no session that the leader knows. */
  lease: Lease | undefined
  state: 'waiting' | 'flushing' | 'open'
  touched: Touched
  /** Something may have been applied since it was looked at what it touches. */
  late: boolean
}

export interface AdmissionsInit {
  readonly view: ChubbyView
  readonly caches: Caches
  /** Tells a session to drop a path, and gives the number of the notice. */
  readonly invalidate: (lease: Lease, path: string) => number
  readonly leases: () => Iterable<Lease>
  /** Of a session that is there. */
  readonly leaseOf: (session: bigint) => Lease | undefined
  /** Its session is gone. */
  readonly ended: (lease: Lease) => void
}

/**
 * Lets commands into the log, each once nobody caches any more what it may change. What ends a session waits until all else of that session is settled, since only
 * then it is known which ephemeral nodes go with it; and what comes after it waits until the session is gone.
 */
export class Admissions {
  readonly #init: AdmissionsInit
  readonly #all = new Map<AdmissionId, Admission>()
  /** In the order of coming. The first of each goes before the next may. */
  readonly #lanes = new Map<string, Set<AdmissionId>>()
  /** The first of each lane, unless it is in the log. */
  readonly #pending = new Map<AdmissionId, Admission>()
  /** Those of them that nobody has looked at yet. */
  #fresh: AdmissionId[] = []
  /** All of them are to be looked at. */
  #dirty = false
  /** How many commands of each session have had their turn and are not settled. By id: the first of them come before the leader knows of the session. */
  readonly #inFlight = new Map<bigint, number>()

  constructor(init: AdmissionsInit) {
    this.#init = init
  }

  add(
    id: AdmissionId,
    command: ChubbyCommand,
    principal: string,
    lease: Lease | undefined,
    go: (refused?: Refusal) => void,
  ): void {
    const lane = laneOf(command)
    const admission: Admission = { command, principal, lane, go, lease, state: 'waiting', touched: [], late: false }
    this.#all.set(id, admission)
    const queue = this.#lanes.get(lane)
    if (queue === undefined) {
      this.#lanes.set(lane, new Set([id]))
      this.#comesFirst(id, admission)
    } else queue.add(id)
  }

  #comesFirst(id: AdmissionId, admission: Admission): void {
    this.#pending.set(id, admission)
    this.#fresh.push(id)
  }

  /** Who is about to create a session with this id, if its creation is on its way. */
  creatorOf(session: bigint): string | undefined {
    for (const id of this.#lanes.get(`${session}`) ?? []) {
      const command = this.#all.get(id)?.command
      if (command?.type === 'createSession') return command.principal
    }
    return undefined
  }

  /** @param certain whether it is known that it has been applied, or never will be. */
  settled(id: AdmissionId, certain: boolean): void {
    const admission = this.#all.get(id)
    if (admission === undefined) return
    this.#all.delete(id)
    this.#pending.delete(id)
    const { command, lease, touched, state } = admission
    const queue = this.#leaveLane(id, admission)
    if (state !== 'waiting') this.#count(command, -1)
    // Only what ends a session, or comes after that, waits for what is settled in another lane.
    if (lease === undefined || lease.closing || isEnd(command)) this.#dirty = true
    if (lease !== undefined && command.type === 'endSession') this.#notEnded(lease, state, queue)
    // What may yet be applied keeps its paths from being cached for as long as this reign lasts.
    if (state !== 'waiting' && certain) this.#init.caches.end(touched)
  }

  /** The next one of its lane has its turn. @returns those that are left in it. */
  #leaveLane(id: AdmissionId, { lane }: Admission): ReadonlySet<AdmissionId> {
    const queue = this.#lanes.get(lane) ?? new Set()
    queue.delete(id)
    const [next] = queue
    if (next === undefined) this.#lanes.delete(lane)
    else {
      const admission = this.#all.get(next)
      if (admission?.state === 'waiting' && !this.#pending.has(next)) this.#comesFirst(next, admission)
    }
    return queue
  }

  #count(command: ChubbyCommand, by: 1 | -1): void {
    if (!('session' in command)) return
    const count = this.#inFlightOf(command) + by
    if (count === 0) this.#inFlight.delete(command.session)
    else this.#inFlight.set(command.session, count)
  }

  #inFlightOf(command: ChubbyCommand): number {
    return 'session' in command ? (this.#inFlight.get(command.session) ?? 0) : 0
  }

  /**
   * Whoever wanted its end may try again; until then a session that is still there lives, unless another command of its lane ends it. Its caches were given up for ended.
   */
  #notEnded(lease: Lease, state: Admission['state'], lane: ReadonlySet<AdmissionId>): void {
    const { view, caches, invalidate, ended } = this.#init
    if (view.session(lease.session.id) === undefined) return ended(lease)
    for (const id of lane) if (isEnd(this.#all.get(id)?.command)) return
    lease.closing = false
    if (state !== 'waiting') caches.readmit(lease, invalidate(lease, ''))
  }

  /** A cacher may have acknowledged, or a lease may be over. */
  look(): void {
    this.#dirty = true
  }

  /** Lets go what can go. */
  run(): void {
    while (this.#dirty || this.#fresh.length > 0) {
      const ids = this.#dirty ? [...this.#pending.keys()] : this.#fresh
      this.#dirty = false
      this.#fresh = []
      for (const id of ids) this.#look(id)
    }
  }

  #look(id: AdmissionId): void {
    const admission = this.#pending.get(id)
    if (admission === undefined) return
    if (admission.state === 'waiting') this.#begin(id, admission)
    if (admission.state === 'flushing') this.#propose(id, admission)
  }

  #begin(id: AdmissionId, admission: Admission): void {
    const { command } = admission
    const { view, caches, leaseOf } = this.#init
    // While it waited, its session may have been created, or ended and created again.
    if ('session' in command && command.type !== 'expire') admission.lease = leaseOf(command.session)
    if (this.#isOfAnother(admission)) return this.#refuse(id, admission)
    const { lease } = admission
    const ends = isEnd(command)
    if (ends && this.#inFlightOf(command) > 0) {
      if (lease !== undefined) lease.closing = true
      return
    }
    if (lease !== undefined) {
      // One without a handle stands in the same lane, before what ends the session: that would wait for it.
      if (lease.closing && 'handle' in command && view.session(lease.session.id) !== undefined) return
      if (ends) {
        lease.closing = true
        caches.drop(lease)
        // Others may have waited for just that.
        this.#dirty = true
      }
    }
    this.#touch(admission)
    admission.state = 'flushing'
    this.#count(command, 1)
  }

  /** Its session is another's by now, or is about to be. */
  #isOfAnother({ command, principal }: Admission): boolean {
    if (!('session' in command) || command.type === 'expire') return false
    const owner = this.#init.leaseOf(command.session)?.session.principal ?? this.creatorOf(command.session)
    return owner !== undefined && owner !== principal
  }

  #refuse(id: AdmissionId, admission: Admission): void {
    admission.lease = undefined
    this.settled(id, true)
    admission.go('invalid')
  }

  #touch(admission: Admission): void {
    const { view, caches, invalidate, leases } = this.#init
    admission.touched = view.touches(admission.command, (path) => caches.isChanging(path))
    caches.begin(admission.touched, invalidate, leases)
  }

  /** While it waited, a directory on the way may have gone: it would make that as well. */
  #touchAgain(admission: Admission): void {
    const { command, touched } = admission
    if (command.type !== 'open' || touched === 'all') return
    this.#touch(admission)
    this.#init.caches.end(touched)
  }

  #propose(id: AdmissionId, admission: Admission): void {
    const { caches } = this.#init
    if (admission.late && caches.isFlushed(admission.touched)) this.#touchAgain(admission)
    admission.late = !caches.isFlushed(admission.touched)
    if (admission.late) return
    if (this.#isOfAnother(admission)) return this.#refuse(id, admission)
    admission.state = 'open'
    this.#pending.delete(id)
    admission.go()
  }
}

const isEnd = (command: ChubbyCommand | undefined): boolean =>
  command?.type === 'endSession' || command?.type === 'expire'
