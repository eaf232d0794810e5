import type { StateMachine, Supports } from '@conclave/interface'
import { memoryNetwork, type NetworkTap } from '@conclave/transport-memory'
import { Loop, VirtualClock } from './clock.ts'
import { Cluster } from './cluster.ts'
import { invariants } from './invariants/index.ts'
import { Ledger } from './ledger.ts'
import type { Scale } from './limits.ts'
import { Nemesis } from './nemesis/nemesis.ts'
import type { Observation, Watcher } from './observation.ts'
import { Operator } from './operator.ts'
import { type Parts, resolveParts } from './parts.ts'
import type { Plan } from './plan.ts'
import { streamsOf } from './streams.ts'
import type { Surroundings } from './surroundings.ts'

export interface Violation {
  /** Its name; `convergence`, `availability`, `linearizability` and `replay` stand beside the invariants. */
  readonly invariant: string
  readonly what: string
  /** Milliseconds of the world. */
  readonly at: number
}

export interface WorldInit {
  readonly plan: Plan
  readonly parts: Parts
  readonly scale: Scale
  readonly tap: NetworkTap
  /** The first violation, told once. */
  readonly onBroken?: (violation: Violation, nodes: readonly string[]) => void
}

/** Turns for promises after each event: what is done by callbacks needs few, programs of promises some more. */
const turnsOfReplicas = 3
const turnsOfPrograms = 16

const noSupports: Supports = {
  snapshots: false,
  reads: false,
  membership: false,
  learners: false,
  transfer: false,
  leases: false,
}

/** Clock, network, nodes, who breaks them, and the invariants that look on: what a run that is judged and one that is measured have in common. */
export class World {
  readonly clock = new VirtualClock()
  readonly loop: Loop
  readonly around: Surroundings
  readonly ledger: Ledger
  readonly cluster: Cluster
  readonly operator: Operator
  readonly nemesis: Nemesis
  readonly machines: () => readonly StateMachine[]
  readonly #onBroken: WorldInit['onBroken']
  #watchers: readonly Watcher[] = []
  violation: Violation | undefined
  /** What the engine offers: of the newest version that was started. */
  supports = noSupports

  constructor({ plan, parts: given, scale, tap, onBroken }: WorldInit) {
    const parts = resolveParts(given)
    this.loop = new Loop(this.clock, plan.workload === 'locks' ? turnsOfPrograms : turnsOfReplicas)
    const { clock } = this
    const streams = streamsOf(plan.seed)
    this.machines = () => [parts.machine(), ...(plan.workload === 'locks' ? [parts.locks()] : [])]
    this.#onBroken = onBroken
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
      tap,
      transferMillis: 300,
    })
    this.around = {
      plan,
      parts,
      scale,
      clock,
      streams,
      network,
      tell: (seen) => this.see(seen),
      broken: (invariant, what, ...nodes) => this.broken(invariant, what, nodes),
    }
    this.cluster = new Cluster(this.around)
    this.operator = new Operator(this.around, this.cluster)
    this.nemesis = new Nemesis({
      around: this.around,
      cluster: this.cluster,
      operator: this.operator,
      supports: () => this.supports,
    })
  }

  /** Before the start. Some look on before the invariants do, others after them; whoever breaks things is told last. */
  lookOn({ before, after }: { readonly before: readonly Watcher[]; readonly after: readonly Watcher[] }): void {
    const { ledger } = this
    this.#watchers = [
      ...before,
      (seen) => ledger.see(seen),
      (seen) => this.#learn(seen),
      (seen) => this.cluster.see(seen),
      ...invariants.map(({ name, watch }) => watch((what, ...nodes) => this.broken(name, what, nodes), ledger)),
      ...after,
      (seen) => this.nemesis.see(seen),
    ]
  }

  see(seen: Observation): void {
    for (const watcher of this.#watchers) watcher(seen)
  }

  #learn(seen: Observation): void {
    if (seen.type !== 'started') return
    this.supports = seen.version === 2 || this.supports === noSupports ? seen.supports : this.supports
  }

  broken(invariant: string, what: string, nodes: readonly string[] = []): void {
    if (this.violation !== undefined) return
    this.violation = { invariant, what, at: this.clock.now() }
    this.#onBroken?.(this.violation, nodes)
  }

  /** Closes every replica. */
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
}
