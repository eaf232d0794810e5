/**
 * `npm run bench`: durable puts against three node processes, Noise on, with the limit programs A (raw TCP) and B (stock libp2p with Noise) in the
 * same run, so that the ratio holds on any machine. Prints a table and writes `bench/results/*.json`.
 *
 *   npm run bench -- [--rounds 3] [--clients 1,16,64,256] [--scale 1] [--dir DIRECTORY]
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import type { Load, LoadResult } from './load.ts'

const here = import.meta.dirname
const run = promisify(execFile)
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    clients: { type: 'string', default: '1,16,64,256' },
    scale: { type: 'string', default: '1' },
    dir: { type: 'string', default: here },
  },
})

const valueBytes = 256
/** Enough for a few seconds each at the expected rates. */
const opsFor = (clients: number): number =>
  Math.round(({ 1: 2_000, 16: 30_000, 64: 100_000 }[clients] ?? 200_000) * Number(options.scale))

interface Sample extends LoadResult {
  readonly serverMicrosPerOp: number
}

interface Cluster {
  readonly endpoints: readonly string[]
  readonly pids: readonly number[]
}

const cli = (directory: string, ...args: string[]): Promise<{ stdout: string }> =>
  run(process.execPath, [join(here, '../apps/cli/bin/run.js'), ...args, '--data', join(directory, '.conclave')])

interface StatusAnswer {
  readonly nodes: readonly { readonly address: string; readonly pid?: number }[]
}

const withCluster = async <T>(use: (cluster: Cluster) => Promise<T>): Promise<T> => {
  const directory = await mkdtemp(join(options.dir, 'run-'))
  try {
    await cli(directory, 'up', '-d')
    const { nodes } = JSON.parse((await cli(directory, 'status', '--json')).stdout) as StatusAnswer
    return await use({ endpoints: nodes.map((node) => node.address), pids: nodes.flatMap((node) => node.pid ?? []) })
  } finally {
    await cli(directory, 'down', '--purge')
    await rm(directory, { recursive: true, force: true })
  }
}

/** CPU time that processes have used, in microseconds; a tick of /proc is 10 ms. */
const cpuMicros = async (pids: readonly number[]): Promise<number> => {
  let ticks = 0
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks * 10_000
}

const conclave =
  ({ endpoints, pids }: Cluster) =>
  async (clients: number): Promise<Sample> => {
    const ops = opsFor(clients)
    const warmUp = Math.round(ops / 10)
    const load: Load = { endpoints, clients, ops, value: valueBytes, warmUp }
    const before = await cpuMicros(pids)
    const { stdout } = await run(process.execPath, [join(here, 'load.ts'), JSON.stringify(load)])
    const used = (await cpuMicros(pids)) - before
    return { ...(JSON.parse(stdout) as LoadResult), serverMicrosPerOp: Number((used / (ops + warmUp)).toFixed(1)) }
  }

const limit =
  (transport: 'raw' | 'libp2p') =>
  async (clients: number): Promise<Sample> => {
    const args = [
      '--transport',
      transport,
      '--clients',
      String(clients),
      '--ops',
      String(opsFor(clients)),
      '--value',
      String(valueBytes),
      '--dir',
      options.dir,
    ]
    const { stdout } = await run(process.execPath, [join(here, 'limit.mjs'), ...args])
    return JSON.parse(stdout) as Sample
  }

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
const range = (values: readonly number[], digits = 0): string =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`

interface Row {
  readonly clients: number
  readonly a: Sample[]
  readonly b: Sample[]
  readonly conclave: Sample[]
}

const print = (rows: readonly Row[]): void => {
  const lines = rows.map(({ clients, a, b, conclave: ours }) => {
    const rate = (samples: readonly Sample[]): readonly number[] => samples.map((sample) => sample.opsPerSecond)
    const ratio = ours.map((sample, round) => sample.opsPerSecond / (b[round]?.opsPerSecond ?? Number.NaN))
    // A loaded machine throttles B before A: such a row says nothing.
    const counts = clients < 64 || median(rate(b)) >= 0.3 * median(rate(a))
    return {
      clients,
      'A ops/s': range(rate(a)),
      'B ops/s': range(rate(b)),
      'Conclave ops/s': range(rate(ours)),
      'of B': range(ratio, 2),
      'p50 ms': median(ours.map((s) => s.p50)).toFixed(2),
      'p99 ms': median(ours.map((s) => s.p99)).toFixed(2),
      'server µs/op': range(
        ours.map((s) => s.serverMicrosPerOp),
        1,
      ),
      'client µs/op': range(
        ours.map((s) => s.clientMicrosPerOp),
        1,
      ),
      counts: counts ? 'yes' : 'no: machine busy',
    }
  })
  process.stdout.write(`\nDurable puts of ${valueBytes} bytes, three nodes, Noise on; median (range)\n`)
  console.table(lines)
}

const rounds = Number(options.rounds)
const rows: Row[] = options.clients
  .split(',')
  .map((clients) => ({ clients: Number(clients), a: [], b: [], conclave: [] }))
for (let round = 1; round <= rounds; round++) {
  await withCluster(async (cluster) => {
    for (const row of rows) {
      process.stderr.write(`round ${round} of ${rounds}, ${row.clients} clients\n`)
      row.a.push(await limit('raw')(row.clients))
      row.b.push(await limit('libp2p')(row.clients))
      row.conclave.push(await conclave(cluster)(row.clients))
    }
  })
}
print(rows)
await mkdir(join(here, 'results'), { recursive: true })
await writeFile(
  join(here, 'results', 'put.json'),
  `${JSON.stringify({ valueBytes, rounds, node: process.version, rows }, undefined, 2)}\n`,
)
