import { decodeBatch, type NodeId, visitBlock } from '@conclave/interface'
import { decodeCommand } from '@conclave/machine-chubby'
import type { Cluster } from '../cluster.ts'
import type { Nemesis } from '../nemesis/nemesis.ts'
import type { Observation } from '../observation.ts'
import { between, chance } from '../streams.ts'
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

/**
 * Cuts a leader off just when it has a session expired, and sees that it leads again some time later: what it decided is then known to nobody, the client has come back under another
 * leader, and whoever sends the command again has to find that it counts no more.
 */
export class Ambush {
  readonly #init: AmbushInit
  #count = 0

  constructor(init: AmbushInit) {
    this.#init = init
  }

  /** A leader that is stopped for longer than leases last goes on with its old beliefs, and with what waited for it, for clients that have heard of no other. */
  begin(): void {
    const { around, cluster, nemesis } = this.#init
    const random = around.streams('stopped leader')
    const [at, millis] = [between(random, 300, around.plan.chaosMillis), between(random, 600, 1_400)]
    if (!chance(random, 0.4)) return
    around.clock.after(at, () => {
      const { leader } = cluster
      if (leader === undefined || around.clock.now() >= around.plan.chaosMillis) return
      nemesis.strike({ id: firstId, at, type: 'pause', node: leader.number, millis })
      this.#init.strand(leader.id, millis + 300)
    })
  }

  see(seen: Observation): void {
    const { around, cluster } = this.#init
    if (seen.type !== 'stepped' || seen.input.type !== 'propose') return
    const session = expiredIn(seen.input.batch)
    const node = cluster.byId(seen.node)
    if (session === undefined || node === undefined || around.clock.now() >= around.plan.chaosMillis) return
    const random = around.streams('ambush', ++this.#count)
    if (!this.#init.revive(session) && !chance(random, 0.2)) return
    const strike = { id: firstId + this.#count, at: around.clock.now() }
    const millis = between(random, 120, 400)
    this.#init.nemesis.strike({ ...strike, type: 'isolate', node: node.number, millis })
    for (let attempt = 1; attempt <= 4; attempt++)
      around.clock.after(millis + attempt * between(random, 60, 160), () => {
        if (around.clock.now() < around.plan.chaosMillis)
          this.#init.nemesis.strike({ ...strike, type: 'transfer', to: node.number })
      })
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
