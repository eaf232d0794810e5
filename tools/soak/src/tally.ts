import { readFile } from 'node:fs/promises'
import type { Operation } from './history.ts'
import type { Seen } from './messages.ts'

/** Counters of one node that start at 0 with each of its processes. */
interface Counters {
  readonly snapshotsCaptured: number
  readonly snapshotsInstalled: number
}
const none: Counters = { snapshotsCaptured: 0, snapshotsInstalled: 0 }

/** What the observer saw, summed up over all the processes that a node had. A process that ended between two looks may have counted a little more. */
export class Tally {
  readonly #past = new Map<string, Counters>()
  readonly #present = new Map<string, Counters>()
  #leader: { readonly name: string; readonly epoch: bigint } | undefined

  /** The node that says it leads, in the highest epoch. */
  get leader(): string | undefined {
    return this.#leader?.name
  }

  see(nodes: readonly Seen[]): void {
    const leaders = nodes.flatMap(({ name, status }) =>
      status?.leading ? [{ name, epoch: BigInt(status.epoch) }] : [],
    )
    this.#leader = leaders.sort((a, b) => (a.epoch < b.epoch ? 1 : -1))[0]
    for (const { name, status } of nodes) {
      if (status === undefined) continue
      const { snapshotsCaptured, snapshotsInstalled } = status as unknown as Counters
      const before = this.#present.get(name) ?? none
      if (snapshotsCaptured < before.snapshotsCaptured || snapshotsInstalled < before.snapshotsInstalled)
        this.#past.set(name, sum(this.#past.get(name) ?? none, before))
      this.#present.set(name, { snapshotsCaptured, snapshotsInstalled })
    }
  }

  get snapshots(): Counters {
    return [...this.#past.values(), ...this.#present.values()].reduce(sum, none)
  }
}

const sum = (a: Counters, b: Counters): Counters => ({
  snapshotsCaptured: a.snapshotsCaptured + b.snapshotsCaptured,
  snapshotsInstalled: a.snapshotsInstalled + b.snapshotsInstalled,
})

/** Epochs in which somebody reigned, by what the nodes logged. */
export const countElections = async (logs: readonly string[]): Promise<number> => {
  const epochs = new Set<string>()
  for (const log of logs) {
    for (const [, epoch = ''] of (await readFile(log, 'utf8')).matchAll(
      /"epoch":"(\d+)","leader":"[^"]+","msg":"a leader reigns"/g,
    ))
      epochs.add(epoch)
  }
  return epochs.size
}

/** The longest time in which no write was acknowledged to anybody, in milliseconds. */
export const longestUnavailability = (operations: readonly Operation[]): number => {
  const acknowledged = operations
    .filter(({ kind, outcome }) => kind !== 'get' && outcome === 'ok')
    .map(({ returned }) => returned)
    .sort((a, b) => a - b)
  let longest = 0
  for (let at = 1; at < acknowledged.length; at++)
    longest = Math.max(longest, (acknowledged[at] ?? 0) - (acknowledged[at - 1] ?? 0))
  return Math.round(longest / 1000)
}
