import type { AdmissionId, Refusal } from '@conclave/interface'
import type { ChubbyCommand } from '../commands.ts'
import type { ChubbyView } from '../view.ts'
import type { Caches, Touched } from './caches.ts'
import { laneOf } from './commands.ts'
import type { Lease } from './lease.ts'

/** A command on its way: `waiting` in its lane, `flushing` caches, `open` in the log. */
interface Admission {
  readonly command: ChubbyCommand
  readonly lane: string
  /** Undefined: of no session that the leader knows. */
  readonly lease: Lease | undefined
  /** Lets it go. */
  readonly go: (refused?: Refusal) => void
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
}

/**
 * Lets commands into the log, each once nobody caches any more what it may change. What ends a session waits until all else of that session is settled, since only
 * then it is known which ephemeral nodes go with it; and what comes after it waits until the session is gone.
 */
export class Admissions {
  readonly #init: AdmissionsInit
  readonly #all = new Map<AdmissionId, Admission>()
  /** Those that are not in the log. */
  readonly #pending = new Map<AdmissionId, Admission>()
  readonly #lanes = new Map<string, AdmissionId[]>()
  #dirty = false

  constructor(init: AdmissionsInit) {
    this.#init = init
  }

  add(id: AdmissionId, command: ChubbyCommand, lease: Lease | undefined, go: (refused?: Refusal) => void): void {
    const lane = laneOf(command)
    const admission: Admission = { command, lane, lease, go, state: 'waiting', touched: [], late: false }
    this.#all.set(id, admission)
    this.#pending.set(id, admission)
    const queue = this.#lanes.get(lane)
    if (queue === undefined) this.#lanes.set(lane, [id])
    else queue.push(id)
    this.#dirty = true
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
    const { lane, lease, touched, state } = admission
    const queue = this.#lanes.get(lane)?.filter((other) => other !== id) ?? []
    if (queue.length === 0) this.#lanes.delete(lane)
    else this.#lanes.set(lane, queue)
    if (lease !== undefined && state !== 'waiting') lease.inFlight -= 1
    if (lease !== undefined && admission.command.type === 'endSession') this.#notEnded(lease, state, queue)
    // What may yet be applied keeps its paths from being cached for as long as this reign lasts.
    if (state !== 'waiting' && certain) this.#init.caches.end(touched)
    this.#dirty = true
  }

  /** Whoever wanted its end may try again; until then a session that is still there lives, unless another command of its lane ends it. Its caches were given up for ended. */
  #notEnded(lease: Lease, state: Admission['state'], lane: readonly AdmissionId[]): void {
    const { view, caches, invalidate } = this.#init
    if (lane.some((id) => isEnd(this.#all.get(id)?.command))) return
    lease.closing = false
    if (state === 'waiting' || view.session(lease.session.id) === undefined) return
    caches.readmit(lease, invalidate(lease, ''))
  }

  /** A cacher may have acknowledged, or a lease may be over. */
  look(): void {
    this.#dirty = true
  }

  /** Lets go what can go. */
  run(): void {
    while (this.#dirty) {
      this.#dirty = false
      for (const [id, admission] of this.#pending) {
        if (admission.state === 'waiting') this.#begin(id, admission)
        if (admission.state === 'flushing') this.#propose(id, admission)
      }
    }
  }

  #begin(id: AdmissionId, admission: Admission): void {
    const { command, lane, lease } = admission
    const { view, caches } = this.#init
    if (this.#lanes.get(lane)?.[0] !== id) return
    const ends = isEnd(command)
    if (lease !== undefined) {
      if (ends && lease.inFlight > 0) {
        lease.closing = true
        return
      }
      // One without a handle stands in the same lane, before what ends the session: that would wait for it.
      const waits = 'handle' in command && view.session(lease.session.id) !== undefined
      if (lease.closing && waits) return
      if (ends) {
        lease.closing = true
        caches.drop(lease)
      }
    }
    this.#touch(admission)
    admission.state = 'flushing'
    if (lease !== undefined) lease.inFlight += 1
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
    admission.state = 'open'
    this.#pending.delete(id)
    admission.go()
  }
}

const isEnd = (command: ChubbyCommand | undefined): boolean =>
  command?.type === 'endSession' || command?.type === 'expire'
