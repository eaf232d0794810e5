import type { StateMachine, Supports } from '@conclave/interface'
import { memoryNetwork } from '@conclave/transport-memory'
import { Client, type Clients } from './client.ts'
import { Loop, VirtualClock } from './clock.ts'
import { Cluster } from './cluster.ts'
import { History, type HistoryOperation } from './history.ts'
import { invariants } from './invariants/index.ts'
import { Ledger } from './ledger.ts'
import { commonMarks } from './marks.ts'
import { Nemesis } from './nemesis/nemesis.ts'
import type { SimulatedNode } from './node.ts'
import type { FinalState, Observation, Watcher } from './observation.ts'
import { Operator } from './operator.ts'
import { type Parts, resolveParts } from './parts.ts'
import type { FaultType, Plan } from './plan.ts'
import { Recorder } from './recorder.ts'
import { checkReplay } from './replay-check.ts'
import { streamsOf } from './streams.ts'
import { idOf, type Surroundings } from './surroundings.ts'
import type { Trace } from './trace.ts'

export interface RunOptions {
  /** Keep the whole trace, messages included. Default: the last events, without messages. It changes nothing else. */
  readonly trace?: boolean
}

export interface Violation {
  /** Its name; `convergence`, `availability`, `linearizability` and `replay` stand beside the invariants. */
  readonly invariant: string
  readonly what: string
  /** Milliseconds of the world. */
  readonly at: number
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

const noSupports: Supports = {
  snapshots: false,
  reads: false,
  membership: false,
  learners: false,
  transfer: false,
  leases: false,
}

class World {
  readonly clock = new VirtualClock()
  readonly history = new History()
  readonly marks = new Map<string, number>()
  readonly faults: Partial<Record<FaultType, number>> = {}
  readonly recorder: Recorder
  readonly ledger: Ledger
  readonly cluster: Cluster
  readonly nemesis: Nemesis
  readonly operator: Operator
  readonly clients: readonly Client[]
  readonly shared: Clients = { revision: 0n, invoked: 0, completed: 0 }
  readonly plan: Plan
  readonly loop: Loop
  readonly #watchers: Watcher[]
  readonly #machine: () => StateMachine
  readonly #states = new Map<number, string>()
  violation: Violation | undefined
  supports = noSupports
  elections = 0
  restarts = 0
  snapshots = 0
  unjudged = 0
  #healed = false

  constructor(plan: Plan, given: Parts, whole: boolean) {
    this.plan = plan
    const parts = resolveParts(given)
    this.#machine = parts.machine
    const { clock } = this
    const streams = streamsOf(plan.seed)
    this.loop = new Loop(clock)
    this.recorder = new Recorder({
      now: () => clock.now(),
      whole,
      engine: parts.engine,
      entryEpoch: parts.insight?.entryEpoch,
    })
    this.ledger = new Ledger(parts.insight?.entryEpoch)
    const links = new Map<string, ReturnType<typeof streams>>()
    const network = memoryNetwork({
      clock,
      random: streams('network'),
      randomOf: (from, to) => {
        const name = `${from}>${to}`
        const random = links.get(name) ?? streams('link', name)
        links.set(name, random)
        return random
      },
      tap: this.recorder.tap,
      transferMillis: 300,
    })
    const around: Surroundings = {
      plan,
      parts,
      clock,
      streams,
      network,
      tell: (seen) => this.#see(seen),
      broken: (invariant, what, ...nodes) => this.broken(invariant, what, nodes),
    }
    this.cluster = new Cluster(around)
    this.operator = new Operator(around, this.cluster)
    this.nemesis = new Nemesis({
      around,
      cluster: this.cluster,
      operator: this.operator,
      supports: () => this.supports,
    })
    this.clients = Array.from(
      { length: plan.clients },
      (_, at) =>
        new Client({
          around,
          number: at + 1,
          nodes: this.cluster.nodes,
          history: this.history,
          shared: this.shared,
          paceMillis: () => (this.#healed ? 5 : (1.1 * plan.chaosMillis) / plan.operationsEach),
        }),
    )
    this.#watchers = this.#everyone(parts)
  }

  #everyone(parts: Parts): Watcher[] {
    const hit = (mark: string, node?: Parameters<Recorder['mark']>[1]): void => {
      const before = this.marks.get(mark) ?? 0
      this.marks.set(mark, before + 1)
      this.recorder.mark(mark, node)
    }
    const world = { ledger: this.ledger, now: () => this.clock.now(), partitioned: () => this.nemesis.partitioned }
    return [
      (seen) => this.recorder.see(seen),
      (seen) => this.ledger.see(seen),
      (seen) => this.#count(seen),
      (seen) => this.cluster.see(seen),
      ...invariants.map(({ name, watch }) => watch((what, ...nodes) => this.broken(name, what, nodes), this.ledger)),
      ...commonMarks.map(({ watch }) => watch(hit, world)),
      ...(parts.insight === undefined ? [] : [parts.insight.marks.watch(hit, world)]),
      (seen) => this.nemesis.see(seen),
    ]
  }

  #see(seen: Observation): void {
    for (const watcher of this.#watchers) watcher(seen)
  }

  broken(invariant: string, what: string, nodes: readonly string[] = []): void {
    if (this.violation !== undefined) return
    this.violation = { invariant, what, at: this.clock.now() }
    this.recorder.violation(invariant, what, nodes)
  }

  readonly #epochs = new Set<bigint>()

  #count(seen: Observation): void {
    if (seen.type === 'started') {
      this.supports = seen.version === 2 || this.supports === noSupports ? seen.supports : this.supports
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
    const { plan, loop, cluster } = this
    cluster.start()
    for (const client of this.clients) client.start()
    this.nemesis.begin()
    const broken = (): boolean => this.violation !== undefined
    await loop.run(plan.chaosMillis, broken)
    if (broken()) return
    this.operator.end()
    const connected = this.nemesis.heal()
    this.#healed = true
    for (const client of this.clients) client.heal()
    const until = plan.chaosMillis + plan.patienceMillis
    let done = false
    while (!done && !broken() && this.clock.now() < until) {
      await loop.run(this.clock.now() + lookMillis, broken)
      done = this.clients.every(({ finished }) => finished) && this.#converged(connected)
    }
    if (!broken()) this.#judge(connected, done)
    if (!broken() && plan.seed % replayEvery === 0) await this.#replay()
  }

  async #replay(): Promise<void> {
    const what = await checkReplay({
      decided: this.ledger.decided.map(({ decided }) => decided),
      machine: this.#machine,
      seed: this.plan.seed,
      stateAt: (position) => this.#states.get(position),
    })
    if (what !== undefined) this.broken('replay', what)
  }

  /** Members that are connected: they must come to the same end. */
  #expected(connected: readonly SimulatedNode[]): readonly SimulatedNode[] {
    const ids = new Set(this.cluster.membership.members.map(({ id }) => id))
    return connected.filter(({ id, state }) => ids.has(id) && state !== 'gone')
  }

  #converged(connected: readonly SimulatedNode[]): boolean {
    const { decidedTo } = this.ledger
    return this.#expected(connected).every(({ status }) => {
      if (status === undefined || status.restoring || status.engine === undefined) return false
      const { position } = status.applied
      return position >= decidedTo && status.engine.last === position && status.engine.membership.outgoing === undefined
    })
  }

  #judge(connected: readonly SimulatedNode[], done: boolean): void {
    if (!done) return this.broken('convergence', this.#stuck(connected))
    const nodes: FinalState[] = this.#expected(connected).map(({ id, status }) => ({
      node: id,
      position: status?.applied.position ?? 0,
      hash: status?.machines.map((machine) => machine.hash()).join(' ') ?? '',
    }))
    for (const { node, position, hash } of nodes) this.#see({ type: 'state', node, position, hash, restored: false })
    this.#see({ type: 'finished', nodes, broken: this.nemesis.broken })
    if (this.violation !== undefined) return
    const verdict = this.history.judge()
    if (verdict?.verdict === 'illegal') this.broken('linearizability', verdict.what)
    else if (verdict?.verdict === 'unknown') this.unjudged++
  }

  #stuck(connected: readonly SimulatedNode[]): string {
    const where = this.#expected(connected).map(({ id, status, state }) => {
      const engine = status?.engine
      return `${id}: ${state} ${engine?.role} of ${engine?.epoch}, applied ${status?.applied.position} of ${engine?.last}`
    })
    const open = this.clients.map(({ completed }) => `${completed}/${this.plan.operationsEach}`)
    return `${this.plan.patienceMillis} ms after the healing the connected nodes have not come to one end: decided ${this.ledger.decidedTo}; ${where.join('; ')}; operations ${open.join(' ')}`
  }

  async close(): Promise<void> {
    let open = 0
    for (const { replica } of this.cluster.nodes) {
      if (replica === undefined) continue
      open++
      const ended = (): void => {
        open--
      }
      replica.close().then(ended, ended)
    }
    await this.loop.run(this.clock.now() + 1_000, () => open === 0)
  }

  result(simulatedMillis: number, digest: string): RunResult {
    const { plan, cluster } = this
    const nodes = cluster.nodes.filter(({ lives }) => lives > 0).map(({ number }) => idOf(number))
    return {
      seed: plan.seed,
      digest,
      ...(this.violation !== undefined && { violation: this.violation }),
      trace: this.recorder.trace(nodes, plan.clients),
      counts: {
        invoked: this.shared.invoked,
        completed: this.shared.completed,
        faults: this.faults,
        elections: this.elections,
        decided: this.ledger.decidedTo,
        restarts: this.restarts,
        snapshots: this.snapshots,
        messages: this.recorder.messages,
        events: this.loop.events,
        unjudged: this.unjudged,
      },
      marks: this.marks,
      simulatedMillis,
      history: this.history.operations,
      supports: this.supports,
    }
  }
}

/**
 * Runs one plan: a time in which things go wrong, then everything heals but what the plan leaves broken, then everything that is connected must come to the same
 * end. The same plan and parts give the same result. It takes no real time but that of the computation.
 */
export const run = async (plan: Plan, parts: Parts, options: RunOptions = {}): Promise<RunResult> => {
  const world = new World(plan, parts, options.trace === true)
  await world.run()
  const result = world.result(world.clock.now(), world.recorder.digest.text)
  await world.close()
  return result
}
