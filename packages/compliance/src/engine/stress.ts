import { Cell } from './cell.ts'
import type { Findings } from './findings.ts'
import type { EngineNode } from './node.ts'
import type { EngineSubject } from './subject.ts'

const stormyRounds = 500
const calmRounds = 600

/** What a storm brought about, so that an idle one is not taken for a proof. */
export interface Storm {
  readonly findings: Findings
  readonly acknowledged: number
  readonly restarts: number
  readonly snapshots: number
}

/** How wild a storm is; probabilities in a round. */
interface Temper {
  readonly sync: number
  readonly crash: number
  readonly isolation: number
}

/** Disks that lag and leaders that are cut off again and again bring other states about than crashes do. */
const tempers: readonly Temper[] = [
  { sync: 0.6, crash: 0.02, isolation: 0.015 },
  { sync: 0.15, crash: 0.02, isolation: 0.04 },
  { sync: 0.4, crash: 0.06, isolation: 0.03 },
]

/** One seed's world in which messages are lost, doubled and reordered, syncs are late, nodes crash and are cut off; then everything heals. */
class Stress {
  readonly #cell: Cell
  readonly #temper: Temper
  readonly #dead = new Map<EngineNode, number>()
  #isolated: { readonly id: string; until: number } | undefined
  #round = 0
  #restarts = 0
  #snapshots = 0

  constructor(subject: EngineSubject, seed: number) {
    this.#temper = tempers[seed % tempers.length] ?? { sync: 1, crash: 0, isolation: 0 }
    const limits = { tailBytes: seed % 2 === 0 ? 200 : 1 << 16 }
    this.#cell = new Cell(subject, seed, { nodes: seed % 4 === 0 ? 5 : 3, limits })
    this.#cell.cut = (from, to) =>
      this.#isolated !== undefined && (from === this.#isolated.id) !== (to === this.#isolated.id)
  }

  run(): Storm {
    for (; this.#round < stormyRounds; this.#round++) this.#stormy()
    this.#heal()
    for (let calm = 0; calm < calmRounds; calm++) {
      this.#cell.tick()
      this.#cell.settle()
    }
    this.#judge()
    for (const node of this.#cell.nodes) node.replay()
    const { findings, acknowledged } = this.#cell
    return { findings, acknowledged, restarts: this.#restarts, snapshots: this.#snapshots }
  }

  get #alive(): readonly EngineNode[] {
    return this.#cell.nodes.filter(({ alive }) => alive)
  }

  #any(): EngineNode | undefined {
    return this.#alive[this.#cell.draw.below(this.#alive.length)]
  }

  /** Often the leader, since the others refuse. */
  #asked(): EngineNode | undefined {
    return this.#cell.draw.chance(0.7) ? (this.#alive.find(({ status }) => status.leading) ?? this.#any()) : this.#any()
  }

  #stormy(): void {
    const { draw } = this.#cell
    this.#messages()
    for (const node of this.#alive) if (draw.chance(this.#temper.sync)) node.sync(this.#cell.now, 1 + draw.below(3))
    this.#cell.carrySnapshots()
    this.#cell.tick(this.#alive.filter(() => draw.chance(0.9)))
    this.#requests()
    this.#faults()
  }

  #messages(): void {
    const cell = this.#cell
    const { draw } = cell
    const flying = cell.flying
    cell.flying = []
    const later: typeof flying = []
    while (flying.length > 0) {
      const [message] = flying.splice(draw.chance(0.9) ? 0 : draw.below(flying.length), 1)
      if (message === undefined) break
      if (draw.chance(0.03)) {
        if (draw.chance(0.3)) cell.at(message.from)?.turn(cell.now, { type: 'peer', id: message.to, state: 'lost' })
        continue
      }
      if (draw.chance(0.15)) later.push(message)
      else cell.deliver(message)
      if (draw.chance(0.05)) later.push(message)
    }
    cell.flying.push(...later)
  }

  #requests(): void {
    const cell = this.#cell
    const { draw } = cell
    if (draw.chance(0.4)) {
      const node = this.#asked()
      if (node !== undefined) cell.propose(node)
    }
    if (draw.chance(0.2)) {
      const node = this.#asked()
      if (node === undefined) return
      const id = cell.read(node)
      if (draw.chance(0.2)) cell.cancel(node, id)
    }
    if (draw.chance(0.03)) this.#any()?.capture(cell.now)
  }

  #faults(): void {
    const cell = this.#cell
    const { draw } = cell
    const down = cell.nodes.length - this.#alive.length
    if (draw.chance(this.#temper.crash) && down * 2 < cell.nodes.length - 1) {
      const node = draw.chance(0.4) ? this.#asked() : this.#any()
      node?.crash(draw.below(node.unsynced + 1))
      if (node !== undefined) this.#dead.set(node, this.#round + draw.below(40))
    }
    for (const [node, at] of this.#dead) if (this.#round >= at) this.#restart(node)
    if (this.#isolated === undefined && draw.chance(this.#temper.isolation)) {
      const node = draw.chance(0.6) ? this.#asked() : this.#any()
      if (node !== undefined) this.#isolated = { id: node.id, until: this.#round + 20 + draw.below(60) }
    } else if (this.#isolated !== undefined && this.#round >= this.#isolated.until) this.#isolated = undefined
  }

  #restart(node: EngineNode): void {
    this.#dead.delete(node)
    this.#restarts++
    this.#cell.restart(node)
  }

  #heal(): void {
    this.#isolated = undefined
    for (const node of [...this.#dead.keys()]) this.#restart(node)
  }

  #judge(): void {
    const cell = this.#cell
    const { findings } = cell
    const leader = cell.leader()
    if (leader === undefined) return findings.add('progress', `no leader after the storm (${cell.beliefs})`)
    const id = cell.propose(leader, 'after the storm')
    cell.pass(100)
    const outcome = cell.outcome(leader, id)
    if (outcome?.type !== 'decided')
      findings.add('progress', `a proposal after the storm is ${outcome?.type ?? 'not settled'}`)
    const positions = new Set(cell.nodes.map(({ decidedPosition }) => decidedPosition))
    if (positions.size !== 1) findings.add('progress', `the nodes have not converged (${cell.beliefs})`)
    const [open] = cell.unsettled
    if (open !== undefined)
      findings.add('settleOnce', `${cell.unsettled.length} requests never settled, such as ${open}`)
    this.#snapshots = Math.max(...cell.nodes.map(({ status }) => status.snapshot))
  }
}

export const storm = (subject: EngineSubject, seed: number): Storm => new Stress(subject, seed).run()
