import type { Lock, Session } from '@conclave/client/locks'
import type { NodeId, Random } from '@conclave/interface'
import type { SimulatedNode } from '../node.ts'
import { Gate, ProcessClock } from '../process-clock.ts'
import { between, chance, integer, pick } from '../streams.ts'
import type { Surroundings } from '../surroundings.ts'
import { SimulatedPort } from './port.ts'
import type { Belief, LockScene } from './scene.ts'

const lockPaths = ['/ls/cell/l1', '/ls/cell/l2', '/ls/cell/dir/l3'] as const
const filePaths = ['/ls/cell/f1', '/ls/cell/f2', '/ls/cell/dir/f3'] as const
/** By code: a broken variant of the client has error classes of its own. */
const codeOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined

/** Things at once that one session does. */
const lanes = 2
/** Operations that a client begins after the healing. */
const afterHealing = 4

export interface ActorInit {
  readonly around: Surroundings
  readonly number: number
  readonly nodes: readonly SimulatedNode[]
  readonly scene: LockScene
}

/**
 * A program that uses locks, as a process of its own: it is stopped, killed and cut off from the cluster, and comes back. What it does with the real session of the client library is up to
 * the seed.
 */
export class Actor {
  readonly number: number
  readonly #init: ActorInit
  readonly #random: Random
  readonly #gate: Gate
  #clock: ProcessClock
  #lives = 0
  #cut = 0
  /** Whom it reaches all the same while it is cut off. */
  #only: NodeId | undefined
  #healed = false
  #left = Number.POSITIVE_INFINITY
  #begun = 0
  #session: Session | undefined
  readonly #beliefs = new Set<Belief>()
  readonly #doing = new Set<{ readonly what: string; readonly life: number }>()
  finished = false

  constructor(init: ActorInit) {
    this.#init = init
    this.number = init.number
    this.#random = init.around.streams('actor', init.number)
    this.#gate = new Gate(init.around.clock)
    this.#clock = this.#newClock()
  }

  get completed(): number {
    return this.#begun
  }

  #newClock(): ProcessClock {
    const { around, number } = this.#init
    return new ProcessClock({
      world: around.clock,
      gate: this.#gate,
      // Within what the client allows for: it counts its leases as a twentieth shorter.
      rate: between(around.streams('actor clock', number), 0.98, 1.02),
      drainMillis: 0,
      random: around.streams('actor turns', number, this.#lives),
    })
  }

  // ---- its process ------------------------------------------------------------------------------------------------------------------------

  start(): void {
    this.#live()
    this.#harm(this.#init.around.streams('actor harm', this.number))
  }

  /** One thing after the other goes wrong with this process until everything heals. */
  #harm(random: Random): void {
    const { clock } = this.#init.around
    clock.after(between(random, 150, 2_500), () => {
      if (this.#healed) return
      const dice = random.next()
      // Now and then for longer than a lease and the way of what was sent before.
      if (dice < 0.35) this.#pause(chance(random, 0.4) ? between(random, 900, 1_600) : between(random, 50, 900))
      else if (dice < 0.65) this.#cutOff(between(random, 50, 1_500))
      else if (dice < 0.85) this.#kill()
      this.#harm(random)
    })
  }

  #pause(millis: number): void {
    this.#gate.pause()
    this.#init.around.clock.after(millis, () => this.#gate.resume())
  }

  /** For so long it reaches nobody but this node. */
  strand(only: NodeId, millis: number): void {
    this.#only = only
    this.#cutOff(millis)
  }

  #cutOff(millis: number): void {
    this.#cut++
    this.#init.around.clock.after(millis, () => {
      if (this.#cut > 0) this.#cut--
      if (this.#cut === 0) this.#only = undefined
    })
  }

  #kill(): void {
    this.#clock.dead = true
    const session = this.#session
    if (session !== undefined) this.#init.scene.died(session, this.#clock.now())
    for (const belief of this.#beliefs) this.#init.scene.forgets(belief)
    this.#beliefs.clear()
    this.#session = undefined
    this.#init.around.clock.after(between(this.#random, 5, 200), () => {
      this.#gate.reset()
      this.#live()
    })
  }

  get session(): bigint | undefined {
    return this.#session?.id
  }

  /** Nothing is wrong with it any more, for now. */
  revive(): void {
    this.#cut = 0
    this.#only = undefined
    while (this.#gate.paused) this.#gate.resume()
  }

  heal(): void {
    this.revive()
    this.#healed = true
    this.#left = this.#begun + afterHealing
  }

  #sleep(millis: number): Promise<void> {
    const clock = this.#clock
    return new Promise((resolve) => {
      clock.after(millis, resolve)
    })
  }

  // ---- what it does -----------------------------------------------------------------------------------------------------------------------

  #live(): void {
    this.#lives++
    const clock = this.#newClock()
    this.#clock = clock
    const { around, nodes, number } = this.#init
    const port = new SimulatedPort({
      around,
      random: around.streams('actor port', number, this.#lives),
      nodes,
      clock,
      gate: this.#gate,
      principal: `client ${number}`,
      cutOff: ({ id }) => this.#cut > 0 && id !== this.#only,
      alone: chance(around.streams('actor alone', number), 0.3),
      answered: () => {
        if (this.#session !== undefined) this.#init.scene.looksAt(this.#session, number)
      },
    })
    this.#program(port, clock).catch((error: unknown) => {
      if (!clock.dead)
        around.broken('availability', `client ${number} failed: ${error instanceof Error ? error.stack : error}`)
    })
  }

  async #program(port: SimulatedPort, clock: ProcessClock): Promise<void> {
    const { around, scene } = this.#init
    while (!clock.dead && this.#begun < this.#left) {
      const times = { ttl: integer(this.#random, 500, 700), grace: integer(this.#random, 100, 1_500) }
      const session = await this.#during('the begin of a session', around.parts.session.begin(port, times))
      if (clock.dead) return
      this.#session = session
      scene.began(session, clock, this.number)
      const ended = { yes: false }
      const watching = this.#keepReading(session, clock, ended)
      await Promise.all(Array.from({ length: lanes }, () => this.#lane(session, clock)))
      ended.yes = true
      await watching
      if (clock.dead) return
      await this.#during('the end of a session', session.end())
      scene.ended(session)
    }
    if (!clock.dead) this.finished = true
  }

  /** Looks at a file again and again, as cheap as its cache makes it: also while it is cut off and its lease is good. */
  async #keepReading(session: Session, clock: ProcessClock, ended: { readonly yes: boolean }): Promise<void> {
    while (!ended.yes && !clock.dead && session.state !== 'expired') {
      await this.#sleep(between(this.#random, 5, 50))
      if (ended.yes || clock.dead) return
      try {
        await this.#readFile(session)
      } catch (error) {
        if (codeOf(error) !== 'session-lost') throw error
        return
      }
    }
  }

  async #lane(session: Session, clock: ProcessClock): Promise<void> {
    const operations = integer(this.#random, 3, 12)
    for (let done = 0; done < operations && this.#begun < this.#left; done++) {
      if (clock.dead || session.state === 'expired') return
      this.#begun++
      this.#init.scene.shared.invoked++
      try {
        await this.#operation(session, clock)
      } catch (error) {
        if (clock.dead || codeOf(error) === 'session-lost') return
        if (codeOf(error) !== 'lock-lost') throw error
      }
      this.#init.scene.shared.completed++
      await this.#sleep(between(this.#random, 0, this.#healed ? 10 : 60))
    }
  }

  async #operation(session: Session, clock: ProcessClock): Promise<void> {
    const dice = this.#random.next()
    if (dice < 0.5) await this.#during('a lock', this.#useLock(session, clock))
    else if (dice < 0.7) await this.#during('a read', this.#readFile(session))
    else if (dice < 0.88) await this.#during('a write', this.#writeFile(session))
    else if (dice < 0.94) await this.#during('an ephemeral file', this.#ephemeral(session))
    else await this.#during('the removal of a lock', this.#removeLock(session))
  }

  async #during<T>(what: string, work: Promise<T>): Promise<T> {
    const entry = { what, life: this.#lives }
    this.#doing.add(entry)
    try {
      return await work
    } finally {
      this.#doing.delete(entry)
    }
  }

  /** What it waits for, for people. */
  get words(): string {
    const doing = [...this.#doing].filter(({ life }) => life === this.#lives).map(({ what }) => what)
    return `client ${this.number}: ${this.finished ? 'finished' : `${this.#session?.state ?? 'no session'}, in ${doing.join(' and ') || 'between two things'}`}`
  }

  async #useLock(session: Session, clock: ProcessClock): Promise<void> {
    const path = pick(this.#random, lockPaths) ?? lockPaths[0]
    const mode = chance(this.#random, 0.75) ? 'exclusive' : 'shared'
    const lockDelay = chance(this.#random, 0.3) ? integer(this.#random, 50, 300) : 0
    const dice = this.#random.next()
    const wait = dice < 0.2 ? { wait: 0 } : dice < 0.5 ? { wait: integer(this.#random, 5, 200) } : {}
    const lock = await session.lock(path, { mode, lockDelay, ...wait }).catch((error: unknown) => {
      if (codeOf(error) === 'lock-held') return undefined
      throw error
    })
    if (lock === undefined || clock.dead) return
    const belief: Belief = { client: this.number, session, lock, clock, token: lock.held ? lock.token : 0n }
    this.#beliefs.add(belief)
    this.#init.scene.believes(belief)
    await this.#critical(lock, path, clock)
    if (clock.dead) return
    this.#beliefs.delete(belief)
    this.#init.scene.forgets(belief)
    await lock.release()
  }

  /** Writes to what the lock guards, again and again, by messages that take their time. */
  async #critical(lock: Lock, path: string, clock: ProcessClock): Promise<void> {
    const { around, scene } = this.#init
    for (let writes = integer(this.#random, 1, 4); writes > 0; writes--) {
      await this.#sleep(between(this.#random, 1, 50))
      if (clock.dead || !lock.held) return
      const { token } = lock
      const delay = chance(this.#random, 0.1) ? between(this.#random, 50, 900) : between(this.#random, 0.1, 5)
      around.clock.after(delay, () => scene.guardedWrite(path, token, lock, clock, this.number))
    }
  }

  async #readFile(session: Session): Promise<void> {
    const path = pick(this.#random, filePaths) ?? filePaths[0]
    const { files } = this.#init.scene
    const least = files.least(path)
    const level = chance(this.#random, 0.8) ? 'cached' : 'linearizable'
    const file = await session.read(path, { level })
    files.read(path, level, least, file?.contentGeneration ?? 0n, this.number)
    if (level === 'cached') this.#init.scene.caches(session, path)
  }

  async #writeFile(session: Session): Promise<void> {
    const path = pick(this.#random, filePaths) ?? filePaths[0]
    const { scene } = this.#init
    const write = scene.writing(path)
    const generation = await session.write(path, `${this.number}:${this.#begun}`)
    write(generation)
  }

  async #ephemeral(session: Session): Promise<void> {
    const path = `/ls/cell/e${this.number}-${integer(this.#random, 1, 2)}`
    const handle = await session.open(path, { create: 'missing', ephemeral: true, parents: true })
    await this.#sleep(between(this.#random, 1, 100))
    await session.read(path)
    await handle.close()
  }

  /** It is made anew by whoever locks it next. */
  async #removeLock(session: Session): Promise<void> {
    await session.remove(pick(this.#random, lockPaths) ?? lockPaths[0]).catch((error: unknown) => {
      if (codeOf(error) !== 'no-node' && codeOf(error) !== 'lock-in-use' && codeOf(error) !== 'no-handle') throw error
    })
  }
}
