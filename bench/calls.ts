/** Puts beside the limit programs A (raw TCP) and B (stock libp2p with Noise), and reads. */
import { join } from 'node:path'
import { type BenchCluster, cpuMicros, endpointsOf, memoryMiB, pidsOf, runNode, type Seen } from './cluster.ts'
import { median, middleOf, range, table } from './figures.ts'
import type { Load, LoadResult } from './load.ts'

export const valueBytes = 256
const readLevels = ['linearizable', 'local'] as const
const readClients = 256

export interface Sample extends LoadResult {
  readonly serverMicrosPerOp: number
}
/** What the nodes' own counters say of one load, all three together. */
export interface PutSample extends Sample {
  readonly syncsPerOp: number
  readonly logBytesPerOp: number
  readonly commandsPerEntry: number
}
/** One round at one number of clients: A and B measured just before the engine. */
export interface PutRound {
  readonly engine: string
  readonly clients: number
  readonly a: Sample
  readonly b: Sample
  readonly conclave: PutSample
}
export interface ReadRound {
  readonly engine: string
  readonly level: (typeof readLevels)[number]
  readonly sample: Sample
}
/** Resident memory of the largest node, after the puts. */
export interface MemoryRound {
  readonly engine: string
  readonly now: number
  readonly peak: number
}

/** Enough for a few seconds each at the expected rates. */
const opsFor = (clients: number, scale: number): number =>
  Math.round(({ 1: 2_000, 16: 30_000, 64: 100_000 }[clients] ?? 200_000) * scale)

const limit = async (transport: 'raw' | 'libp2p', clients: number, ops: number, dir: string): Promise<Sample> => {
  const args = { transport, clients, ops, value: valueBytes, dir }
  const flags = Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)])
  return JSON.parse(await runNode(join(import.meta.dirname, 'limit.mjs'), ...flags)) as Sample
}

const drive = async (seen: Seen, load: Omit<Load, 'endpoints' | 'value' | 'warmUp'>): Promise<Sample> => {
  const warmUp = Math.round(load.ops / 10)
  const whole: Load = { ...load, endpoints: endpointsOf(seen), value: valueBytes, warmUp }
  const before = await cpuMicros(pidsOf(seen))
  const printed = await runNode(join(import.meta.dirname, 'load.ts'), JSON.stringify(whole))
  const used = (await cpuMicros(pidsOf(seen))) - before
  const serverMicrosPerOp = Number((used / (load.ops + warmUp)).toFixed(1))
  return { ...(JSON.parse(printed) as LoadResult), serverMicrosPerOp }
}

type Count = (node: NonNullable<Seen['nodes'][number]['status']>) => number
const growth = (before: Seen, after: Seen, count: Count): number => {
  const sum = ({ nodes }: Seen): number => nodes.reduce((total, { status }) => total + (status ? count(status) : 0), 0)
  return sum(after) - sum(before)
}

export const measurePuts = async (
  cluster: BenchCluster,
  clients: number,
  scale: number,
  dir: string,
): Promise<PutRound> => {
  const ops = opsFor(clients, scale)
  const a = await limit('raw', clients, ops, dir)
  const b = await limit('libp2p', clients, ops, dir)
  const before = await cluster.see()
  const sample = await drive(before, { call: 'put', clients, ops })
  const after = await cluster.see()
  // Every node applies every command.
  const commands = growth(before, after, ({ counters }) => counters.commands) / after.nodes.length
  const conclave: PutSample = {
    ...sample,
    syncsPerOp: growth(before, after, ({ journal }) => journal.syncs) / commands,
    logBytesPerOp: growth(before, after, ({ counters }) => counters.bytes) / commands,
    commandsPerEntry: commands / (growth(before, after, ({ counters }) => counters.batches) / after.nodes.length),
  }
  return { engine: cluster.engine, clients, a, b, conclave }
}

export const measureMemory = async (cluster: BenchCluster): Promise<MemoryRound> => ({
  engine: cluster.engine,
  ...(await memoryMiB(pidsOf(await cluster.see()))),
})

export const measureReads = async (cluster: BenchCluster, scale: number): Promise<ReadRound[]> => {
  const seen = await cluster.see()
  const ops = Math.round(400_000 * scale)
  const rounds: ReadRound[] = []
  for (const level of readLevels) {
    const sample = await drive(seen, { call: level, clients: readClients, ops })
    rounds.push({ engine: cluster.engine, level, sample })
  }
  return rounds
}

const rates = (samples: readonly Sample[]): number[] => samples.map(({ opsPerSecond }) => opsPerSecond)

const timesAndCosts = (samples: readonly Sample[]) => ({
  'p50 ms': middleOf(samples, ({ p50 }) => p50, 2),
  'p99 ms': middleOf(samples, ({ p99 }) => p99, 2),
  'p99.9 ms': middleOf(samples, ({ p999 }) => p999, 2),
  'server µs/op': middleOf(samples, ({ serverMicrosPerOp }) => serverMicrosPerOp, 1),
  'client µs/op': middleOf(samples, ({ clientMicrosPerOp }) => clientMicrosPerOp, 1),
})

/** A loaded machine throttles B before A: such rounds say nothing. */
const counts = (clients: number, a: readonly Sample[], b: readonly Sample[]): boolean =>
  clients < 64 || median(rates(b)) >= 0.3 * median(rates(a))

const limitRow = (clients: number, system: string, samples: readonly Sample[]) => ({
  clients: String(clients),
  system,
  'ops/s': range(rates(samples)),
  'of B': '',
  ...timesAndCosts(samples),
  'syncs/op': '',
  'log bytes/op': '',
  'commands/entry': '',
})

const engineRow = (clients: number, engine: string, rounds: readonly PutRound[]) => {
  const own = rounds.map(({ conclave }) => conclave)
  const ofB = rounds.map(({ b, conclave }) => conclave.opsPerSecond / b.opsPerSecond)
  return {
    ...limitRow(clients, engine, own),
    'of B': range(ofB, 2),
    'syncs/op': middleOf(own, ({ syncsPerOp }) => syncsPerOp, 3),
    'log bytes/op': middleOf(own, ({ logBytesPerOp }) => logBytesPerOp),
    'commands/entry': middleOf(own, ({ commandsPerEntry }) => commandsPerEntry),
  }
}

const enginesOf = (rounds: readonly { readonly engine: string }[]): readonly string[] => [
  ...new Set(rounds.map(({ engine }) => engine)),
]
const of = <R extends { readonly engine: string }>(rounds: readonly R[], engine: string): readonly R[] =>
  rounds.filter((round) => round.engine === engine)

export const putTable = (rounds: readonly PutRound[]): string => {
  const rows = [...new Set(rounds.map(({ clients }) => clients))].flatMap((clients) => {
    const here = rounds.filter((round) => round.clients === clients)
    const [a, b] = [here.map((round) => round.a), here.map((round) => round.b)]
    const note = counts(clients, a, b) ? '' : ' (machine too busy: does not count)'
    const own = enginesOf(here).map((engine) => engineRow(clients, engine, of(here, engine)))
    return [limitRow(clients, `A${note}`, a), limitRow(clients, `B${note}`, b), ...own]
  })
  return table(`Durable puts of ${valueBytes} bytes, three nodes, Noise on; median (range)`, rows)
}

export const readTable = (rounds: readonly ReadRound[]): string => {
  const row = (reads: ReadRound['level'], engine: string) => {
    const samples = of(rounds, engine).flatMap(({ level, sample }) => (level === reads ? sample : []))
    return { reads, engine, 'ops/s': range(rates(samples)), ...timesAndCosts(samples) }
  }
  const rows = readLevels.flatMap((level) => enginesOf(rounds).map((engine) => row(level, engine)))
  return table(`Reads, ${readClients} clients; median (range)`, rows)
}

export const memoryTable = (rounds: readonly MemoryRound[]): string => {
  const rows = enginesOf(rounds).map((engine) => {
    const [now, peak] = [of(rounds, engine).map((round) => round.now), of(rounds, engine).map((round) => round.peak)]
    return { engine, 'after, MiB': range(now), 'peak, MiB': range(peak) }
  })
  return table('Resident memory of the largest node under these puts; median (range)', rows)
}
