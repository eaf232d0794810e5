/** The scenes in which things go wrong, and when they are played. */
import type { Random } from '@conclave/interface'
import type { Fault, FaultAction, FaultType, NodeNumber, Weather } from './plan.ts'
import { between, chance, integer, pick } from './streams.ts'

export const weatherOf = (random: Random): Weather => ({
  drop: chance(random, 0.6) ? random.next() * 0.08 : 0,
  duplicate: chance(random, 0.6) ? random.next() * 0.1 : 0,
  reorder: chance(random, 0.6) ? random.next() * 0.15 : 0,
  delay: { least: 0.1, most: between(random, 0.5, 4.5) },
})

/** Makes the faults of a plan, one after the other. */
export class Scenario {
  readonly #random: Random
  readonly #nodes: number
  readonly #spares: number
  readonly #wanted: (type: FaultType) => boolean
  readonly faults: Fault[] = []

  constructor(random: Random, nodes: number, spares: number, wanted: (type: FaultType) => boolean) {
    this.#random = random
    this.#nodes = nodes
    this.#spares = spares
    this.#wanted = wanted
  }

  add(at: number, action: FaultAction): void {
    if (this.#wanted(action.type)) this.faults.push({ ...action, id: this.faults.length + 1, at })
  }

  #node(): NodeNumber {
    return integer(this.#random, 1, this.#nodes)
  }
  #other(than: NodeNumber): NodeNumber {
    return ((than - 1 + integer(this.#random, 1, Math.max(1, this.#nodes - 1))) % this.#nodes) + 1
  }
  #target(): NodeNumber | 'leader' {
    const node = this.#node()
    return chance(this.#random, 0.3) ? 'leader' : node
  }
  #kind(): 'power' | 'kill' {
    return chance(this.#random, 0.7) ? 'power' : 'kill'
  }

  /** One node is left out while the others elect, so that it is the rival when the coup comes. */
  siege(at: number): void {
    const millis = between(this.#random, 60, 250)
    this.add(at, { type: 'isolate', node: this.#node(), millis })
    this.add(at, { type: 'crash', node: 'leader', kind: 'kill', downMillis: this.#random.next() * 4 })
    this.add(at, {
      type: 'coup',
      on: 'election',
      afterMillis: 0,
      millis: between(this.#random, 40, 250),
      kind: this.#kind(),
    })
  }

  /** All elect, and one of them with a slow disk: its requests for votes leave when another has won the same epoch and is cut off by the coup. */
  rivalry(at: number, restart: boolean): void {
    const random = this.#random
    const millis = between(random, 150, 300)
    if (restart) this.add(at, { type: 'restart-storm', times: 1, kind: 'kill', everyMillis: 16 })
    this.add(at, { type: 'disk-stall', node: this.#node(), millis })
    const calm = { drop: 0, duplicate: 0, reorder: 0 }
    this.add(at, { type: 'weather', weather: { ...calm, delay: { least: 3, most: 12 } }, millis })
    this.add(at, { type: 'coup', on: 'election', afterMillis: 0, millis: between(random, 40, 250), kind: this.#kind() })
  }

  /** A leader that is cut off goes on writing what will be replaced, while the others elect; then it is back, and somebody else is gone. */
  #exile(at: number): void {
    const random = this.#random
    const millis = between(random, 120, 350)
    this.add(at, { type: 'isolate', node: 'leader', millis })
    if (chance(random, 0.4))
      this.add(at, { type: 'disk-stall', node: 'leader', millis: millis + between(random, 10, 80) })
    const after = at + millis + random.next() * 40
    this.add(after, { type: 'crash', node: 'leader', kind: this.#kind(), downMillis: random.next() * 150 })
    if (chance(random, 0.5)) this.add(after, { type: 'reset', a: this.#node(), b: this.#other(1) })
  }

  #members(at: number): void {
    const random = this.#random
    const dice = random.next()
    const spare = this.#nodes + integer(random, 1, Math.max(1, this.#spares))
    if (dice < 0.4) this.add(at, { type: 'add', node: spare, role: chance(random, 0.5) ? 'voter' : 'learner' })
    else if (dice < 0.6) this.add(at, { type: 'promote', node: spare })
    else if (dice < 0.85) this.add(at, { type: 'remove', node: this.#target() })
    else this.add(at, { type: 'remove', node: spare })
    // Something goes wrong in the middle of it.
    const trouble = random.next()
    if (trouble < 0.5) this.#network(at + random.next() * 20)
    else if (trouble < 0.75)
      this.add(at + random.next() * 20, {
        type: 'crash',
        node: 'leader',
        kind: this.#kind(),
        downMillis: random.next() * 200,
      })
  }

  /** Mostly of the leader, and often for so long that another is elected meanwhile: then what it goes on believing is wrong. */
  #pause(at: number): void {
    const random = this.#random
    const node = chance(random, 0.7) ? 'leader' : this.#node()
    const millis = chance(random, 0.5) ? between(random, 20, 300) : between(random, 150, 400)
    // Its clients still reach it when it goes on, but not those who could tell it what has happened.
    if (chance(random, 0.4)) this.add(at, { type: 'isolate', node, millis: millis + between(random, 20, 150) })
    this.add(at, { type: 'pause', node, millis })
  }

  /**
   * Reigns that are cut short: a leader goes on writing alone while another is elected and cut off before it has said a word; the first one comes
   * back, is elected again, and falls while it is still handing over what it wrote.
   */
  dynasty(at: number): void {
    const random = this.#random
    const exile = between(random, 120, 260)
    this.add(at, { type: 'isolate', node: 'leader', millis: exile })
    this.add(at, {
      type: 'coup',
      on: 'election',
      afterMillis: 0,
      millis: between(random, 300, 650),
      kind: this.#kind(),
    })
    const [on, afterMillis] = chance(random, 0.6)
      ? (['decision', 0] as const)
      : (['election', random.next() * 40] as const)
    this.add(at + exile, { type: 'coup', on, afterMillis, millis: between(random, 150, 400), kind: this.#kind() })
  }

  /** Machines are exchanged in haste: several changes one after the other, while the leader and some of the new ones are cut off from the rest. */
  upheaval(at: number): void {
    const random = this.#random
    const spares = Array.from({ length: this.#spares }, (_, index) => this.#nodes + index + 1)
    const leads = this.#node()
    this.add(at, { type: 'transfer', to: leads })
    const begin = at + 60
    for (const spare of spares)
      this.add(begin, { type: 'add', node: spare, role: chance(random, 0.7) ? 'voter' : 'learner' })
    const cut = begin + between(random, 5, 90)
    const side = [...spares.filter(() => chance(random, 0.85)), leads]
    const all = Array.from({ length: this.#nodes + this.#spares }, (_, index) => index + 1)
    const millis = between(random, 150, 400)
    this.add(cut, { type: 'partition', groups: [side, all.filter((node) => !side.includes(node))], millis })
    for (let changes = integer(random, 1, 3); changes > 0; changes--)
      this.add(cut + random.next() * millis, { type: 'remove', node: this.#target() })
    this.add(cut + millis * random.next(), {
      type: 'crash',
      node: 'leader',
      kind: this.#kind(),
      downMillis: random.next() * 100,
    })
  }

  /**
   * What a leader wrote while it was cut off is replaced before its slow disk has it; then who replaced it falls, and the disk is slow again. A node that
   * takes the old writes for the new ones would count what it does not have.
   */
  relapse(at: number): void {
    const random = this.#random
    const exile = between(random, 90, 160)
    this.add(at, { type: 'isolate', node: 'leader', millis: exile })
    this.add(at, { type: 'disk-stall', node: 'leader', millis: exile + between(random, 3, 40) })
    const fall = at + exile + between(random, 2, 40)
    this.add(fall, { type: 'crash', node: 'leader', kind: this.#kind(), downMillis: between(random, 100, 300) })
    for (let stall = fall + between(random, 20, 60); stall < fall + 350; stall += between(random, 50, 100))
      this.add(stall, { type: 'disk-stall', node: 'leader', millis: between(random, 30, 60) })
  }

  /** A leader that sleeps while another is elected, and wakes up where nobody but clients can reach it. */
  sleep(at: number): void {
    const random = this.#random
    const millis = between(random, 260, 420)
    const cut = random.next() * 60
    this.add(at, { type: 'pause', node: 'leader', millis })
    // What was on its way to it has arrived by then.
    this.add(at + cut, { type: 'isolate', node: 'leader', millis: millis - cut + between(random, 20, 100) })
  }

  #network(at: number): void {
    const random = this.#random
    const millis = between(random, 20, 350)
    const dice = random.next()
    const [a] = [this.#node()]
    const b = this.#other(a)
    if (dice < 0.35) {
      const all = Array.from({ length: this.#nodes + this.#spares }, (_, index) => index + 1)
      const left = all.filter(() => chance(random, 0.5))
      this.add(at, { type: 'partition', groups: [left, all.filter((node) => !left.includes(node))], millis })
    } else if (dice < 0.55) this.add(at, { type: 'isolate', node: this.#target(), millis })
    else if (dice < 0.8) this.add(at, { type: 'one-way', from: a, to: b, millis })
    else if (dice < 0.93) this.add(at, { type: 'reset', a, b })
    else this.add(at, { type: 'weather', weather: weatherOf(random), millis })
  }

  #disk(at: number): void {
    const random = this.#random
    const dice = random.next()
    const node = this.#target()
    const millis = between(random, 20, 250)
    if (dice < 0.5) this.add(at, { type: 'disk-stall', node, millis })
    else if (dice < 0.72) this.add(at, { type: 'disk-full', node, millis: millis * 2 })
    else if (dice < 0.9) this.add(at, { type: 'disk-fails', node, millis: 150 })
    else if (dice < 0.96) this.add(at, { type: 'disk-corruption', node: this.#node(), downMillis: random.next() * 100 })
    else this.add(at, { type: 'disk-lost', node: this.#node() })
  }

  strike(at: number): void {
    const random = this.#random
    const dice = random.next()
    if (dice < 0.2)
      this.add(at, { type: 'crash', node: this.#target(), kind: this.#kind(), downMillis: random.next() * 250 })
    else if (dice < 0.25)
      this.add(at, {
        type: 'restart-storm',
        times: integer(random, 1, 4),
        kind: this.#kind(),
        everyMillis: between(random, 20, 200),
      })
    else if (dice < 0.5) this.#network(at)
    else if (dice < 0.66) this.#disk(at)
    else if (dice < 0.74) this.#pause(at)
    else if (dice < 0.78) this.siege(at)
    else if (dice < 0.82) this.rivalry(at, true)
    else if (dice < 0.85) this.#exile(at)
    else if (dice < 0.89) this.dynasty(at)
    else if (dice < 0.92) this.add(at, { type: 'transfer', to: this.#node() })
    else if (dice < 0.985) this.#members(at)
    else if (dice < 0.99) this.upheaval(at)
    else this.relapse(at)
  }
}

/** How long an opening that needs several elections is left alone. */
const actMillis = 900

/** Some runs are stormy, some are calm enough that much gets done between two faults. Some open with a scene of their own. */
export const plot = (scenario: Scenario, random: Random, chaosMillis: number): void => {
  const mean = pick(random, [40, 60, 100, 200]) ?? 60
  const opening = random.next()
  let from = 0
  const begin = between(random, 150, 350)
  if (opening < 0.05) scenario.siege(0)
  else if (opening < 0.2) scenario.rivalry(40, false)
  else if (opening < 0.97) {
    if (opening < 0.42) scenario.dynasty(begin)
    else if (opening < 0.57) scenario.upheaval(begin)
    else if (opening < 0.69) scenario.sleep(begin)
    else scenario.relapse(begin)
    from = begin + actMillis
  }
  for (let at = from + 5 + random.next() * 2 * mean; at < chaosMillis; at += 5 + random.next() * 2 * mean)
    scenario.strike(at)
}
