import type { Lock, Session } from '@conclave/client/locks'
import type { ProcessClock } from '../process-clock.ts'
import type { Surroundings } from '../surroundings.ts'
import { Files } from './files.ts'
import { listPath } from './names.ts'
import { Resource } from './resource.ts'

/** A lock that a process believes in, as long as it says that it is held. */
export interface Belief {
  readonly client: number
  readonly session: Session
  readonly lock: Lock
  readonly clock: ProcessClock
  readonly token: bigint
}

interface Life {
  readonly session: Session
  readonly clock: ProcessClock
  readonly client: number
  readonly cached: Set<string>
}

/** What all lock clients of a run share, and what is judged of them: what they believe, what the guarded resource takes, what files they read. */
export class LockScene {
  readonly shared: { invoked: number; completed: number }
  readonly files: Files
  readonly #around: Surroundings
  readonly #hit: (mark: string) => void
  readonly #resource = new Resource()
  readonly #beliefs = new Set<Belief>()
  readonly #lives = new Map<bigint, Life>()
  /** By the log. */
  readonly #expired = new Set<bigint>()
  /** Paths that somebody may cache whose process is dead, and until when its lease lasts at the most. */
  readonly #deadCachers: { readonly path: string; readonly until: number }[] = []

  constructor(around: Surroundings, shared: LockScene['shared'], hit: (mark: string) => void) {
    this.#around = around
    this.shared = shared
    this.#hit = hit
    this.files = new Files(listPath, (what) => around.broken('no stale cache', what))
  }

  #tell(type: 'invoked' | 'returned', client: number, what: string): void {
    this.#around.tell({ type, client, operation: this.shared.invoked, what })
  }

  // ---- sessions -----------------------------------------------------------------------------------------------------------------------------

  began(session: Session, clock: ProcessClock, client: number): void {
    this.#lives.set(session.id, { session, clock, client, cached: new Set() })
    this.#tell('invoked', client, `session ${session.id.toString(16)}`)
    let jeopardy = false
    session.on('jeopardy', () => {
      jeopardy = true
      this.#tell('returned', client, 'in jeopardy')
    })
    session.on('safe', () => {
      if (jeopardy) this.#hit('jeopardy to safe')
      this.looksAt(session, client)
      this.#tell('returned', client, 'safe')
    })
    session.on('expired', () => {
      if (jeopardy) this.#hit('jeopardy to expired')
      this.#tell('returned', client, 'expired')
    })
  }

  ended(session: Session): void {
    this.#lives.delete(session.id)
  }

  /** Its process is gone without a word. */
  died(session: Session, now: number): void {
    const life = this.#lives.get(session.id)
    if (life === undefined) return
    const until = this.#around.clock.now() + Math.max(0, session.validUntil - now)
    for (const path of life.cached) this.#deadCachers.push({ path, until })
    this.#lives.delete(session.id)
    this.#tell('returned', life.client, 'killed')
  }

  /** What a client takes its session for, by its own clock. */
  looksAt(session: Session, client: number): void {
    if (session.state === 'safe' && this.#expired.has(session.id))
      this.#around.broken('no early expiry', `client ${client} takes a session for safe that the log has expired`)
  }

  /** The log says that a session's time is over: by its own clock it must know so, or be about to. */
  expired(session: bigint): void {
    this.#expired.add(session)
    const life = this.#lives.get(session)
    if (life === undefined || life.clock.dead) return
    const left = life.session.validUntil - life.clock.now()
    if (left > 0 && life.session.state !== 'ended')
      this.#around.broken(
        'no early expiry',
        `session ${session.toString(16)} of client ${life.client} was expired ${left.toFixed(1)} ms before its own deadline`,
      )
  }

  // ---- locks --------------------------------------------------------------------------------------------------------------------------------

  believes(belief: Belief): void {
    const { lock, client } = belief
    for (const other of this.#beliefs) {
      if (other.lock.path !== lock.path || !other.lock.held || !lock.held) continue
      if (other.lock.mode === 'shared' && lock.mode === 'shared') continue
      this.#around.broken(
        'mutual exclusion',
        `clients ${other.client} (${other.lock.mode}, token ${other.token}) and ${client} (${lock.mode}, token ${belief.token}) hold ${lock.path} at once`,
      )
    }
    this.#beliefs.add(belief)
    this.#tell('invoked', client, `${lock.mode} ${lock.path}: token ${belief.token}`)
  }

  forgets(belief: Belief): void {
    if (this.#beliefs.delete(belief)) this.#tell('returned', belief.client, `gives ${belief.lock.path} back`)
  }

  /** A write with a token arrives at what the lock guards. */
  guardedWrite(path: string, token: bigint, lock: Lock, clock: ProcessClock, client: number): void {
    const outcome = this.#resource.write(path, token, lock.mode === 'exclusive' ? client : 0)
    if (outcome === 'stolen')
      this.#around.broken(
        'fenced writes',
        `two clients wrote ${path} with token ${token}, one of them client ${client}`,
      )
    if (outcome !== 'refused') return
    this.#hit('token refused by the fence')
    if (!clock.dead && lock.held)
      this.#around.broken('fenced writes', `client ${client} holds ${path} with token ${token}, and was refused`)
  }

  // ---- files --------------------------------------------------------------------------------------------------------------------------------

  caches(session: Session, path: string): void {
    this.#lives.get(session.id)?.cached.add(path)
  }

  /** Returns what is to be called when the change is acknowledged. */
  changing(path: string): () => void {
    const { clock } = this.#around
    const began = clock.now()
    return () => {
      if (this.#deadCachers.some((dead) => dead.path === path && began < dead.until && clock.now() >= dead.until))
        this.#hit('write waited for a dead cacher')
    }
  }

  hit(mark: string): void {
    this.#hit(mark)
  }
}
