import type { Lock, Session } from '@conclave/client/locks'
import type { NodeId, Random } from '@conclave/interface'
import type { SimulatedNode } from '../node.ts'
import { Gate, ProcessClock } from '../process-clock.ts'
import { between, chance, integer, pick } from '../streams.ts'
import type { Surroundings } from '../surroundings.ts'
import { denied, seenAs } from './files.ts'
import { directory, filePaths, friends, listPath, lockPaths } from './names.ts'
import { SimulatedPort } from './port.ts'
import type { Belief, LockScene } from './scene.ts'

/** What may come of a removal, or of a handle on what others remove. */
const overtaken: readonly unknown[] = ['no-node', 'no-handle', 'not-empty', 'lock-in-use']
/** By code: a broken variant of the client has error classes of its own. */
const codeOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined

/** Things at once that one session does. */
const lanes = 2
/** Some clients use the store beside: a put now and then, in milliseconds. */
const chatterMillis = [5, 60] as const
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
  #written = 0
  #session: Session | undefined
  /** That of the life before, which was killed. */
  #orphan: bigint | undefined
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

  get #principal(): string {
    return `client ${this.number}`
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
    this.#orphan = session?.id ?? this.#orphan
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
      principal: this.#principal,
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
      const beside = [this.#keepReading(session, clock, ended), this.#chatter(port, clock, ended)]
      await this.#endOrphan(session)
      await Promise.all(Array.from({ length: lanes }, () => this.#lane(session, clock)))
      ended.yes = true
      await Promise.all(beside)
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

  /** Puts to the store, whether there is anything about locks or not: log time goes on with them. */
  async #chatter(port: SimulatedPort, clock: ProcessClock, ended: { readonly yes: boolean }): Promise<void> {
    if (!chance(this.#init.around.streams('actor chatter', this.number), 0.15)) return
    while (!ended.yes && !clock.dead) {
      await this.#sleep(between(this.#random, ...chatterMillis))
      if (!ended.yes && !clock.dead) await this.#during('a put', port.put(this.#principal, `${this.#begun}`))
    }
  }

  /** Whoever is back after a crash need not wait until what it held runs out. */
  async #endOrphan(session: Session): Promise<void> {
    const orphan = this.#orphan
    this.#orphan = undefined
    if (orphan === undefined || !chance(this.#random, 0.5)) return
    try {
      await this.#during('the end of an orphan', session.endOther(orphan))
      this.#init.scene.hit('session ended by its next life')
    } catch (error) {
      if (codeOf(error) !== 'session-lost') throw error
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
    if (dice < 0.48) await this.#during('a lock', this.#useLock(session, clock))
    else if (dice < 0.64) await this.#during('a read', this.#readFile(session))
    else if (dice < 0.8) await this.#during('a write', this.#writeFile(session))
    else if (dice < 0.86) await this.#during('an ephemeral file', this.#ephemeral(session))
    else if (dice < 0.93) await this.#during('a removal', this.#remove(session))
    else if (dice < 0.97) await this.#during('a change of who may read', this.#setAcl(session))
    else await this.#during('a change of a list', this.#writeList(session))
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
    const ephemeral = chance(this.#random, 0.15)
    const lock = await session.lock(path, { mode, lockDelay, ephemeral, ...wait }).catch((error: unknown) => {
      if (codeOf(error) === 'lock-held' || codeOf(error) === 'unavailable') return undefined
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
    const { scene } = this.#init
    const floor = scene.files.floor(path)
    const level = chance(this.#random, 0.8) ? 'cached' : 'linearizable'
    const seen = await session.read(path, { level }).then(
      (file) => seenAs(file?.text),
      (error: unknown) => {
        if (codeOf(error) === 'denied') return denied
        throw error
      },
    )
    if (seen === denied) scene.hit('read denied')
    scene.files.read(path, floor, seen, this.#principal, level)
    if (level === 'cached') scene.caches(session, path)
  }

  /** Does something to a path; whatever others did to it first may keep it from that. */
  async #change(path: string, change: () => Promise<void>, acknowledged: (from: number) => void): Promise<void> {
    const { scene } = this.#init
    const done = scene.changing(path)
    const from = scene.files.latest(path)
    try {
      await change()
    } catch (error) {
      if (overtaken.includes(codeOf(error))) return
      throw error
    }
    acknowledged(from)
    done()
  }

  /** Contents, or a list, that nobody has written before. */
  get #unheardOf(): string {
    return `${this.number}:${this.#lives}:${this.#written++}`
  }

  async #writeFile(session: Session): Promise<void> {
    const path = pick(this.#random, filePaths) ?? filePaths[0]
    const text = this.#unheardOf
    const write = (): Promise<void> => session.write(path, text).then(() => {})
    await this.#change(path, write, (from) =>
      this.#init.scene.files.acknowledged(path, from, ({ contents }) => contents === text),
    )
  }

  async #setAcl(session: Session): Promise<void> {
    const path = pick(this.#random, [...filePaths, directory]) ?? directory
    const read = chance(this.#random, 0.5) ? friends : ''
    const set = (): Promise<void> => session.setAcl(path, { read, write: '', changeAcl: '' })
    await this.#change(path, set, (from) =>
      this.#init.scene.files.acknowledged(path, from, ({ contents, acl }) => contents !== undefined && acl === read),
    )
  }

  /** Each client is named by it or not. */
  async #writeList(session: Session): Promise<void> {
    const named = Array.from({ length: this.#init.around.plan.clients }, (_, at) => `client ${at + 1}`)
    const list = [...named.filter(() => chance(this.#random, 0.5)), this.#unheardOf].join('\n')
    const write = (): Promise<void> => session.write(listPath, list).then(() => {})
    await this.#change(listPath, write, (from) =>
      this.#init.scene.files.acknowledged(listPath, from, ({ contents }) => contents === list),
    )
  }

  async #ephemeral(session: Session): Promise<void> {
    const path = `/ls/cell/e${this.number}-${integer(this.#random, 1, 2)}`
    const handle = await session.open(path, { create: 'missing', ephemeral: true, parents: true })
    await this.#sleep(between(this.#random, 1, 100))
    await session.read(path)
    await handle.close()
  }

  /** It is made anew by whoever needs it next. */
  async #remove(session: Session): Promise<void> {
    const path = pick(this.#random, [...lockPaths, ...filePaths, directory, directory, listPath]) ?? directory
    await this.#change(
      path,
      () => session.remove(path),
      (from) => {
        this.#init.scene.files.acknowledged(path, from, ({ contents }) => contents === undefined)
        if (path === directory) this.#init.scene.hit('directory removed')
      },
    )
  }
}
