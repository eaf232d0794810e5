import type { Session } from '@conclave/client/locks'
import type { NodeId, Random } from '@conclave/interface'
import type { SimulatedNode } from '../node.ts'
import { Gate, ProcessClock } from '../process-clock.ts'
import { between, chance, integer } from '../streams.ts'
import type { Surroundings } from '../surroundings.ts'
import { codeOf, Errands } from './errands.ts'
import { SimulatedPort } from './port.ts'
import type { LockScene } from './scene.ts'

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
  #errands: Errands | undefined
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
    // It would come back twice, and one of the two would be out of anybody's reach.
    if (this.#clock.dead) return
    this.#clock.dead = true
    const session = this.#session
    if (session !== undefined) this.#init.scene.died(session, this.#clock.now())
    for (const belief of this.#errands?.beliefs ?? []) this.#init.scene.forgets(belief)
    this.#errands = undefined
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
      const errands = this.#errandsOf(session, clock)
      this.#errands = errands
      const ended = { yes: false }
      const beside = [this.#keepReading(errands, session, clock, ended), this.#chatter(port, clock, ended)]
      await this.#endOrphan(session)
      await Promise.all(Array.from({ length: lanes }, () => this.#lane(errands, session, clock)))
      ended.yes = true
      await Promise.all(beside)
      if (clock.dead) return
      await this.#during('the end of a session', session.end())
      scene.ended(session)
    }
    if (!clock.dead) this.finished = true
  }

  #errandsOf(session: Session, clock: ProcessClock): Errands {
    const { around, scene } = this.#init
    return new Errands({
      around,
      scene,
      random: this.#random,
      clock,
      session,
      client: this.number,
      principal: this.#principal,
      sleep: (millis) => this.#sleep(millis),
      during: (what, work) => this.#during(what, work),
      unheardOf: () => `${this.number}:${this.#lives}:${this.#written++}`,
    })
  }

  /** Looks at a file again and again, as cheap as its cache makes it: also while it is cut off and its lease is good. */
  async #keepReading(
    errands: Errands,
    session: Session,
    clock: ProcessClock,
    ended: { readonly yes: boolean },
  ): Promise<void> {
    while (!ended.yes && !clock.dead && session.state !== 'expired') {
      await this.#sleep(between(this.#random, 5, 50))
      if (ended.yes || clock.dead) return
      try {
        await errands.read()
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

  async #lane(errands: Errands, session: Session, clock: ProcessClock): Promise<void> {
    const operations = integer(this.#random, 3, 12)
    for (let done = 0; done < operations && this.#begun < this.#left; done++) {
      if (clock.dead || session.state === 'expired') return
      this.#begun++
      this.#init.scene.shared.invoked++
      try {
        await errands.one()
      } catch (error) {
        if (clock.dead || codeOf(error) === 'session-lost') return
        if (codeOf(error) !== 'lock-lost') throw error
      }
      this.#init.scene.shared.completed++
      await this.#sleep(between(this.#random, 0, this.#healed ? 10 : 60))
    }
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
}
