import { checkBlock, decodeBatch } from '@conclave/interface'
import type { NetworkTap } from '@conclave/transport-memory'
import type { World } from '../world.ts'

/** What has happened so far. */
export interface Tally {
  readonly millis: number
  /** Sent by engines from node to node, lost ones included. */
  readonly messages: number
  readonly bytes: number
  /** Syncs of groups of the journal, on all nodes. */
  readonly syncs: number
  /** Log entries with commands in them. */
  readonly entries: number
  readonly commands: number
}

/** Counts what engines send, sync and decide. */
export class Meter {
  #sent = 0
  #bytes = 0

  get tap(): NetworkTap {
    return {
      sent: (_from, _to, message) => {
        this.#bytes += message.length
        return ++this.#sent
      },
      ended: () => {},
    }
  }

  read({ clock, cluster, ledger }: World): Tally {
    let [syncs, entries, commands] = [0, 0, 0]
    for (const { disk } of cluster.nodes) syncs += disk.syncs.get('group') ?? 0
    for (const { decided } of ledger.decided) {
      if (decided.type !== 'batch') continue
      entries++
      for (const block of decodeBatch(decided.batch).blocks) commands += checkBlock(block).count
    }
    return { millis: clock.now(), messages: this.#sent, bytes: this.#bytes, syncs, entries, commands }
  }
}

/** What happened between two readings. */
export const between = (from: Tally, to: Tally): Tally => ({
  millis: to.millis - from.millis,
  messages: to.messages - from.messages,
  bytes: to.bytes - from.bytes,
  syncs: to.syncs - from.syncs,
  entries: to.entries - from.entries,
  commands: to.commands - from.commands,
})
