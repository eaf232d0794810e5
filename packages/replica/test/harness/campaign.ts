import { seededRandom } from '@conclave/interface'
import { VirtualClock } from '../virtual-clock.ts'
import { Chaos } from './chaos.ts'
import { Checks, Digest } from './checks.ts'
import { Client } from './clients.ts'
import { type Cluster, makeCluster, type Saboteur } from './cluster.ts'

export interface WorldResult {
  readonly seed: number
  readonly digest: string
  /** What does not hold, if anything. */
  readonly violation?: string
  readonly lines: readonly string[]
  readonly operations: number
  readonly decided: number
  readonly lives: number
  readonly leaders: number
  readonly snapshotsRestored: number
  readonly events: number
}

const chaosMillis = 2_000
/** After the healing, everything has to be done by then. */
const patienceMillis = 6_000
const clients = 3
const operationsEach = 40

/** Lets the event loop breathe now and then; all else happens in microtasks, in the same order each time. */
const breath = 2_048

class Loop {
  readonly #clock: VirtualClock
  events = 0
  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  /** Runs until `done`, or until `until`. */
  async run(until: number, done: () => boolean): Promise<void> {
    while (!done() && this.#clock.step(until)) {
      this.events++
      await undefined
      await undefined
      await undefined
      if (this.events % breath === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

const converged = ({ nodes }: Cluster, checks: Checks): boolean =>
  nodes.every(({ serving }) => {
    const status = serving?.status()
    return (
      status !== undefined &&
      !status.restoring &&
      status.applied.position >= checks.decidedTo &&
      (status.engine?.last ?? 0) === status.applied.position
    )
  })

/** One world: chaos, then healing, then everything must have come to the same end. */
export const runWorld = async (seed: number, saboteur: Saboteur = {}): Promise<WorldResult> => {
  const clock = new VirtualClock()
  const checks = new Checks(() => clock.now())
  const cluster = makeCluster({ size: seed % 3 === 0 ? 5 : 3, seed, clock, checks, saboteur })
  const loop = new Loop(clock)
  const workers = Array.from(
    { length: clients },
    (_, number) =>
      new Client({
        number,
        operations: operationsEach,
        nodes: cluster.nodes,
        clock,
        random: seededRandom(seed * 101 + number),
        checks,
        renumber: saboteur.renumberRetries === true,
      }),
  )
  const chaos = new Chaos(cluster, clock, seededRandom(seed * 17 + 3), checks)
  for (const node of cluster.nodes) node.start()
  for (const worker of workers) worker.next()
  const broken = (): boolean => checks.violation !== undefined
  chaos.begin()
  await loop.run(chaosMillis, broken)
  chaos.end()
  const finished = (): boolean => workers.every((worker) => worker.finished) && converged(cluster, checks)
  await loop.run(chaosMillis + patienceMillis, () => broken() || finished())
  if (!broken()) judgeEnd(cluster, checks, workers, finished())
  const result = resultOf(seed, cluster, checks, workers, loop.events)
  await close(cluster, loop, clock)
  return result
}

const judgeEnd = (cluster: Cluster, checks: Checks, workers: readonly Client[], finished: boolean): void => {
  if (!finished) {
    const where = cluster.nodes.map(
      ({ id, serving }) => `${id}: ${serving?.status().engine?.role} applied ${serving?.status().applied.position}`,
    )
    const done = workers.map(({ completed }) => completed)
    for (const { id, serving } of cluster.nodes) {
      const status = serving?.status()
      checks.note(
        `${id}: ${JSON.stringify(status, (_key, value) => (typeof value === 'bigint' ? String(value) : value))}`,
      )
    }
    return checks.broken(
      `no progress after healing: operations ${done}; decided ${checks.decidedTo}; ${where.join(', ')}`,
    )
  }
  for (const { id, serving } of cluster.nodes) {
    const status = serving?.status()
    const position = status?.applied.position ?? 0
    if (position < checks.ackedPosition)
      checks.broken(`${id} ends at ${position}, though ${checks.ackedPosition} was acknowledged`)
    checks.state(id, position, status?.machines.map((machine) => machine.hash()).join(' ') ?? '')
  }
}

const resultOf = (
  seed: number,
  { nodes }: Cluster,
  checks: Checks,
  workers: readonly Client[],
  events: number,
): WorldResult => ({
  seed,
  digest: checks.digest.text,
  ...(checks.violation !== undefined && { violation: checks.violation.message }),
  lines: checks.lines,
  operations: workers.reduce((sum, { completed }) => sum + completed, 0),
  decided: checks.decidedTo,
  leaders: checks.reigns,
  lives: nodes.reduce((sum, { lives }) => sum + lives, 0),
  snapshotsRestored: nodes.reduce((sum, { serving }) => sum + (serving?.status().counters.snapshotsRestored ?? 0), 0),
  events,
})

const close = async ({ nodes }: Cluster, loop: Loop, clock: VirtualClock): Promise<void> => {
  let open = nodes.length
  for (const node of nodes) {
    const ended = (): void => {
      open--
    }
    if (node.replica === undefined) open--
    else node.replica.close().then(ended, ended)
  }
  await loop.run(clock.now() + 1_000, () => open === 0)
}

/** The digest of many worlds, and those that failed. */
export const runCampaign = async (
  seeds: Iterable<number>,
  saboteur: Saboteur = {},
  stopAtFirst = false,
): Promise<{ digest: string; results: WorldResult[]; failures: WorldResult[] }> => {
  const digest = new Digest()
  const results: WorldResult[] = []
  const failures: WorldResult[] = []
  for (const seed of seeds) {
    const result = await runWorld(seed, saboteur)
    digest.add(result.digest)
    results.push({ ...result, lines: [] })
    if (result.violation === undefined) continue
    failures.push(result)
    if (stopAtFirst) break
  }
  return { digest: digest.text, results, failures }
}
