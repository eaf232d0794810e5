import { decodeBatch, type NodeId, type Random, visitBlock } from '@conclave/interface'
import { decodeCommand } from '@conclave/machine-chubby'
import type { Cluster } from '../cluster.ts'
import type { Nemesis } from '../nemesis/nemesis.ts'
import type { SimulatedNode } from '../node.ts'
import type { Observation } from '../observation.ts'
import type { FaultAction } from '../plan.ts'
import { between, chance, pick } from '../streams.ts'
import type { Surroundings } from '../surroundings.ts'
import { chubbyMachineNumber } from './port.ts'

/** Above the ids of faults in plans. */
const firstId = 1_000_000

export interface AmbushInit {
  readonly around: Surroundings
  readonly cluster: Cluster
  readonly nemesis: Nemesis
  /** Some clients reach nobody but this node for so many milliseconds. */
  readonly strand: (node: NodeId, millis: number) => void
  /** The client of this session is well again; false if it is gone. */
  readonly revive: (session: bigint) => boolean
}

/** What goes wrong with leaders just when it may hurt sessions. */
export class Ambush {
  readonly #init: AmbushInit
  #strikes = 0
  #expiries = 0

  constructor(init: AmbushInit) {
    this.#init = init
  }

  get #isOver(): boolean {
    const { clock, plan } = this.#init.around
    return clock.now() >= plan.chaosMillis
  }

  #strike(action: FaultAction): void {
    const { around, nemesis } = this.#init
    nemesis.strike({ ...action, id: firstId + this.#strikes++, at: around.clock.now() })
  }

  // ---- a leader that leads no more --------------------------------------------------------------------------------------------------------

  /** One leader of the run, maybe, does not know for a while that it leads no more, and some clients have heard of no other. */
  begin(): void {
    const { around, cluster } = this.#init
    const random = around.streams('old leader')
    const [at, millis] = [between(random, 300, around.plan.chaosMillis), between(random, 600, 1_400)]
    if (!chance(random, 0.6)) return
    around.clock.after(at, () => {
      const { leader } = cluster
      if (leader === undefined || this.#isOver) return
      if (chance(random, 0.4)) this.#strike({ type: 'pause', node: leader.number, millis })
      else this.#deafen(leader, millis, random)
      this.#init.strand(leader.id, millis + 300)
    })
  }

  /** It hears no other node, and another is elected by its own word: it takes itself for the leader until it misses the answers. */
  #deafen(leader: SimulatedNode, millis: number, random: Random): void {
    const { around, cluster } = this.#init
    const others = cluster.nodes.filter((node) => node !== leader && node.serving !== undefined)
    for (const other of others) this.#strike({ type: 'one-way', from: other.number, to: leader.number, millis })
    const heir = pick(random, others)
    if (heir === undefined) return
    around.clock.after(between(random, 1, 5), () => this.#strike({ type: 'transfer', to: heir.number }))
  }

  // ---- an expiry that nobody hears of -----------------------------------------------------------------------------------------------------

  /**
   * Cuts a leader off just when it has a session expired, and sees that it leads again some time later: what it decided is then known to nobody, the client has come back under another
   * leader, and whoever sends the command again has to find that it counts no more.
   */
  see(seen: Observation): void {
    const { around, cluster } = this.#init
    if (seen.type !== 'stepped' || seen.input.type !== 'propose') return
    const session = expiredIn(seen.input.batch)
    const node = cluster.byId(seen.node)
    if (session === undefined || node === undefined || this.#isOver) return
    const random = around.streams('ambush', ++this.#expiries)
    if (!this.#init.revive(session) && !chance(random, 0.2)) return
    // Long enough for another to be elected, so that the client lives on under that one.
    const millis = between(random, 350, 800)
    this.#strike({ type: 'isolate', node: node.number, millis })
    around.clock.after(millis, () => this.#restore(node, session, random))
  }

  /** Tries until it leads under a later reign, or its process has forgotten all. */
  #restore(node: SimulatedNode, session: bigint, random: Random): void {
    const [life, epoch] = [node.lives, node.status?.engine?.epoch]
    const attempt = (): void => {
      if (this.#isOver || node.lives !== life) return
      this.#init.revive(session)
      const { leader } = this.#init.cluster
      if (leader === node && node.status?.engine?.epoch !== epoch) return
      if (leader !== undefined && leader !== node) this.#strike({ type: 'transfer', to: node.number })
      this.#init.around.clock.after(between(random, 40, 80), attempt)
    }
    attempt()
  }
}

const expiredIn = (batch: Uint8Array): bigint | undefined => {
  let session: bigint | undefined
  for (const block of decodeBatch(batch).blocks)
    visitBlock(block, (_serial, machine, bytes) => {
      if (machine !== chubbyMachineNumber) return
      const command = decodeCommand(bytes)
      if (command.type === 'expire') session = command.session
    })
  return session
}
