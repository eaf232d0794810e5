/**
 * The nemesis: rounds of faults that overlap, each round followed by healing, a check that the cluster answers again, and some quiet.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Random, seededRandom } from '@conclave/interface'
import { between, pickWeighted } from './chance.ts'
import type { Arena, Fault } from './fault.ts'
import { diskFaults } from './faults-disks.ts'
import { memberFaults } from './faults-members.ts'
import { processFaults } from './faults-processes.ts'
import { wireFaults } from './faults-wires.ts'

const allFaults: readonly Fault[] = [...processFaults, ...wireFaults, ...diskFaults, ...memberFaults]
export const faultKinds: readonly string[] = allFaults.map(({ kind }) => kind)

export interface FaultRecord {
  readonly round: number
  /** Milliseconds since the nemesis began. */
  readonly at: number
  readonly kind: string
  readonly text: string
  readonly lastsMillis: number
  /** Who led when it struck. */
  readonly leader: string | undefined
}

export interface Round {
  readonly faults: readonly FaultRecord[]
  /** From the end of the healing to the first acknowledged write; undefined if there was none in time. */
  readonly recoveredMillis: number | undefined
}

export interface NemesisInit {
  readonly arena: Arena
  readonly seed: number
  /** Which faults to use; all that are possible here, if undefined. */
  readonly kinds?: readonly string[] | undefined
  readonly forMillis: number
  /** Ends it early; what is broken is healed all the same. */
  readonly signal: AbortSignal
  /** A write that must get through. Resolves to the milliseconds that it took, or undefined if it did not. */
  probe(): Promise<number | undefined>
  onFault(fault: FaultRecord): void
}

export class Nemesis {
  readonly #init: NemesisInit
  readonly #faults: readonly Fault[]
  readonly #random: Random
  readonly #began = performance.now()

  constructor(init: NemesisInit) {
    this.#init = init
    this.#random = seededRandom(init.seed)
    this.#faults = allFaults.filter((fault) => (init.kinds?.includes(fault.kind) ?? true) && fault.possible(init.arena))
    if (this.#faults.length === 0) throw new Error('none of the chosen faults is possible here')
  }

  get #elapsed(): number {
    return performance.now() - this.#began
  }

  /** Until the time is up, the signal fires, or the cluster does not come back. */
  async run(): Promise<readonly Round[]> {
    const rounds: Round[] = []
    const { signal, forMillis } = this.#init
    while (!signal.aborted && this.#elapsed < forMillis) {
      const round = await this.#round(rounds.length + 1)
      rounds.push(round)
      if (round.recoveredMillis === undefined) break
      await this.#wait(between(this.#random, 800, 2200))
    }
    return rounds
  }

  async #round(number: number): Promise<Round> {
    const count = 1 + Math.floor(this.#random.next() * 4)
    const faults: FaultRecord[] = []
    const healing: Promise<void>[] = []
    for (let left = count; left > 0 && !this.#init.signal.aborted; left--) {
      const struck = await this.#strike(number)
      if (struck === undefined) continue
      faults.push(struck.fault)
      healing.push(struck.healed)
      await this.#wait(between(this.#random, 200, 1800))
    }
    await Promise.all(healing)
    for (const node of this.#init.arena.nodes) {
      node.resume()
      node.start()
    }
    return { faults, recoveredMillis: await this.#init.probe() }
  }

  /** One fault; `healed` settles when it is over. */
  async #strike(round: number): Promise<{ readonly fault: FaultRecord; readonly healed: Promise<void> } | undefined> {
    const { arena } = this.#init
    const chosen = pickWeighted(this.#random, this.#faults)
    // A stream of its own: what a fault finds must not change what the seed says of later ones.
    const random = seededRandom(Math.floor(this.#random.next() * 0x1_0000_0000))
    const leader = arena.leader()?.name
    const at = Math.round(this.#elapsed)
    const injected = await chosen.inject(arena, random)
    if (injected === undefined) return undefined
    const { text, lastsMillis, heal } = injected
    const fault = { round, at, kind: chosen.kind, text, lastsMillis: Math.round(lastsMillis), leader }
    this.#init.onFault(fault)
    const healed = this.#wait(lastsMillis).then(heal)
    // Awaited at the end of the round; until then a failure must not be taken for one that nobody handles.
    healed.catch(() => undefined)
    return { fault, healed }
  }

  #wait(millis: number): Promise<void> {
    return sleep(millis, undefined, { signal: this.#init.signal }).catch(() => undefined)
  }
}
