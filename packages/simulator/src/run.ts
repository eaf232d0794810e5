import type { NodeId, Supports } from '@conclave/interface'
import { Client, type Clients } from './client.ts'
import { History, type HistoryOperation } from './history.ts'
import { smallScale } from './limits.ts'
import { Actor } from './locks/actor.ts'
import { Ambush } from './locks/ambush.ts'
import { LockScene } from './locks/scene.ts'
import { LockWatch } from './locks/watch.ts'
import { type Hit, marksOf } from './marks.ts'
import type { SimulatedNode } from './node.ts'
import type { FinalState, Observation, Watcher } from './observation.ts'
import type { Parts } from './parts.ts'
import type { FaultType, Plan } from './plan.ts'
import { Recorder } from './recorder.ts'
import { checkReplay } from './replay-check.ts'
import { idOf } from './surroundings.ts'
import type { Trace } from './trace.ts'
import { type Violation, World } from './world.ts'

export interface RunOptions {
  /** Keep the whole trace, messages included. Default: the last events, without messages. It changes nothing else. */
  readonly trace?: boolean
}

export interface Counts {
  readonly invoked: number
  readonly completed: number
  /** Faults that struck. */
  readonly faults: Readonly<Partial<Record<FaultType, number>>>
  readonly elections: number
  readonly decided: number
  readonly restarts: number
  readonly snapshots: number
  readonly messages: number
  readonly events: number
  /** Histories on which the checker gave up: no pass. */
  readonly unjudged: number
}

export interface RunResult {
  readonly seed: number
  /** Of everything that happened: equal for equal runs. */
  readonly digest: string
  readonly violation?: Violation
  readonly trace: Trace
  readonly counts: Counts
  /** How often each was reached. */
  readonly marks: ReadonlyMap<string, number>
  readonly simulatedMillis: number
  readonly history: readonly HistoryOperation[]
  readonly supports: Supports
}

/** One run in so many replays its log at the end, with a snapshot at every position. */
const replayEvery = 16
/** How often it is looked whether everything has converged. */
const lookMillis = 5

/** One plan from its first fault to its judgement. */
class Run {
  readonly history = new History()
  readonly marks = new Map<string, number>()
  readonly faults: Partial<Record<FaultType, number>> = {}
  readonly world: World
  readonly recorder: Recorder
  readonly clients: readonly (Client | Actor)[]
  readonly shared: Clients = { revision: 0n, invoked: 0, completed: 0 }
  readonly scene: LockScene
  readonly plan: Plan
  readonly #states = new Map<number, string>()
  readonly #epochs = new Set<bigint>()
  elections = 0
  restarts = 0
  snapshots = 0
  unjudged = 0
  #healed = false

  constructor(plan: Plan, parts: Parts, whole: boolean) {
    this.plan = plan
    this.recorder = new Recorder({
      now: () => this.world.clock.now(),
      whole,
      engine: parts.engine,
      entryEpoch: parts.insight?.entryEpoch,
    })
    this.world = new World({
      plan,
      parts,
      scale: smallScale(plan.messageBytes),
      tap: this.recorder.tap,
      onBroken: ({ invariant, what }, nodes) => this.recorder.violation(invariant, what, nodes),
    })
    this.scene = new LockScene(this.world.around, this.shared, (mark) => this.#hit(mark))
    const locks = plan.workload === 'locks'
    const actors = locks ? this.#actors() : []
    this.clients = locks ? actors : this.#kvClients()
    this.world.lookOn({
      before: [(seen) => this.recorder.see(seen)],
      after: [(seen) => this.#count(seen), ...this.#markers(parts), ...(locks ? this.#lockWatch(actors) : [])],
    })
  }

  #kvClients(): readonly Client[] {
    const { plan, world } = this
    return Array.from(
      { length: plan.clients },
      (_, at) =>
        new Client({
          around: world.around,
          number: at + 1,
          nodes: world.cluster.nodes,
          history: this.history,
          shared: this.shared,
          paceMillis: () => (this.#healed ? 5 : (1.1 * plan.chaosMillis) / plan.operationsEach),
        }),
    )
  }

  #actors(): readonly Actor[] {
    const { around, cluster } = this.world
    const { scene } = this
    return Array.from(
      { length: this.plan.clients },
      (_, at) => new Actor({ around, number: at + 1, nodes: cluster.nodes, scene }),
    )
  }

  #lockWatch(actors: readonly Actor[]): Watcher[] {
    const { around, cluster, nemesis } = this.world
    const broken = (invariant: string, what: string): void => this.world.broken(invariant, what)
    const watch = new LockWatch({ scene: this.scene, hit: (mark) => this.#hit(mark), broken })
    const strand = (node: NodeId, millis: number): void => {
      for (const actor of actors) if (actor.number % 2 === 1) actor.strand(node, millis)
    }
    const revive = (session: bigint): boolean => {
      const actor = actors.find((each) => each.session === session)
      actor?.revive()
      return actor !== undefined
    }
    const ambush = new Ambush({ around, cluster, nemesis, revive, strand })
    ambush.begin()
    return [(seen) => watch.see(seen), (seen) => ambush.see(seen)]
  }

  #hit(mark: string, node?: Parameters<Recorder['mark']>[1]): void {
    this.marks.set(mark, (this.marks.get(mark) ?? 0) + 1)
    this.recorder.mark(mark, node)
  }

  #markers(parts: Parts): Watcher[] {
    const hit = (...[mark, node]: Parameters<Hit>): void => this.#hit(mark, node)
    const { ledger, clock, nemesis } = this.world
    const world = { ledger, now: () => clock.now(), partitioned: () => nemesis.partitioned }
    const sets = marksOf(this.plan.workload ?? 'kv', parts.insight?.marks)
    return sets.map(({ watch }) => watch(hit, world))
  }

  #count(seen: Observation): void {
    if (seen.type === 'started') {
      if (seen.life > 1) this.restarts++
    } else if (seen.type === 'fault' && seen.ends !== true)
      this.faults[seen.fault.type] = (this.faults[seen.fault.type] ?? 0) + 1
    else if (seen.type === 'state') {
      this.#states.set(seen.position, seen.hash)
      if (seen.restored) this.snapshots++
    } else if (seen.type === 'drained') {
      const { leader } = seen.effects
      if (leader?.id === undefined || this.#epochs.has(leader.epoch)) return
      this.#epochs.add(leader.epoch)
      this.elections++
    }
  }

  async run(): Promise<void> {
    const { plan, world } = this
    const { loop, clock } = world
    world.cluster.start()
    for (const client of this.clients) client.start()
    world.nemesis.begin()
    const broken = (): boolean => world.violation !== undefined
    await loop.run(plan.chaosMillis, broken)
    if (broken()) return
    world.operator.end()
    const connected = world.nemesis.heal()
    this.#healed = true
    for (const client of this.clients) client.heal()
    const until = plan.chaosMillis + plan.patienceMillis
    let done = false
    while (!done && !broken() && clock.now() < until) {
      await loop.run(clock.now() + lookMillis, broken)
      done = this.clients.every(({ finished }) => finished) && this.#converged(connected)
    }
    if (!broken()) this.#judge(connected, done)
    if (!broken() && plan.seed % replayEvery === 0) await this.#replay()
  }

  async #replay(): Promise<void> {
    const what = await checkReplay({
      decided: this.world.ledger.decided.map(({ decided }) => decided),
      machines: this.world.machines,
      seed: this.plan.seed,
      stateAt: (position) => this.#states.get(position),
    })
    if (what !== undefined) this.world.broken('replay', what)
  }

  /** Members that are connected: they must come to the same end. */
  #expected(connected: readonly SimulatedNode[]): readonly SimulatedNode[] {
    const ids = new Set(this.world.cluster.membership.members.map(({ id }) => id))
    return connected.filter(({ id, state }) => ids.has(id) && state !== 'gone')
  }

  #converged(connected: readonly SimulatedNode[]): boolean {
    const { decidedTo } = this.world.ledger
    return this.#expected(connected).every(({ status }) => {
      if (status === undefined || status.restoring || status.engine === undefined) return false
      const { position } = status.applied
      return position >= decidedTo && status.engine.last === position && status.engine.membership.outgoing === undefined
    })
  }

  #judge(connected: readonly SimulatedNode[], done: boolean): void {
    const { world } = this
    if (!done) return world.broken('convergence', this.#stuck(connected))
    const nodes: FinalState[] = this.#expected(connected).map(({ id, status }) => ({
      node: id,
      position: status?.applied.position ?? 0,
      hash: status?.machines.map((machine) => machine.hash()).join(' ') ?? '',
    }))
    for (const { node, position, hash } of nodes) world.see({ type: 'state', node, position, hash, restored: false })
    world.see({ type: 'finished', nodes, broken: world.nemesis.broken })
    if (world.violation !== undefined) return
    const verdict = this.history.judge()
    if (verdict?.verdict === 'illegal') world.broken('linearizability', verdict.what)
    else if (verdict?.verdict === 'unknown') this.unjudged++
  }

  #stuck(connected: readonly SimulatedNode[]): string {
    const where = this.#expected(connected).map(({ id, status, state }) => {
      const engine = status?.engine
      return `${id}: ${state} ${engine?.role} of ${engine?.epoch}, applied ${status?.applied.position} of ${engine?.last}`
    })
    const open = this.clients.map(({ words }) => words)
    return `${this.plan.patienceMillis} ms after the healing the connected nodes have not come to one end: decided ${this.world.ledger.decidedTo}; ${where.join('; ')}; operations ${open.join(' ')}`
  }

  result(): RunResult {
    const { plan, world } = this
    const nodes = world.cluster.nodes.filter(({ lives }) => lives > 0).map(({ number }) => idOf(number))
    return {
      seed: plan.seed,
      digest: this.recorder.digest.text,
      ...(world.violation !== undefined && { violation: world.violation }),
      trace: this.recorder.trace(nodes, plan.clients),
      counts: {
        invoked: this.shared.invoked,
        completed: this.shared.completed,
        faults: this.faults,
        elections: this.elections,
        decided: world.ledger.decidedTo,
        restarts: this.restarts,
        snapshots: this.snapshots,
        messages: this.recorder.messages,
        events: world.loop.events,
        unjudged: this.unjudged,
      },
      marks: this.marks,
      simulatedMillis: world.clock.now(),
      history: this.history.operations,
      supports: world.supports,
    }
  }
}

/**
 * Runs one plan: a time in which things go wrong, then everything heals but what the plan leaves broken, then everything that is connected must come to the same
 * end. The same plan and parts give the same result. It takes no real time but that of the computation.
 */
export const run = async (plan: Plan, parts: Parts, options: RunOptions = {}): Promise<RunResult> => {
  const one = new Run(plan, parts, options.trace === true)
  await one.run()
  const result = one.result()
  await one.world.close()
  return result
}
