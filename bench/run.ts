/**
 * `npm run bench`: three node processes on each engine, `fdatasync` and Noise on, beside the limit programs A (raw TCP) and B (stock libp2p with
 * Noise) in the same run, so that the ratio holds on any machine. And load-balancing strategies beside another ring hash, in this process. Prints tables and writes `bench/results/*.json`. See docs/performance.md.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { engineNames } from '@conclave/node'
import {
  type MemoryRound,
  measureMemory,
  measurePuts,
  measureReads,
  memoryTable,
  type PutRound,
  putTable,
  type ReadRound,
  readTable,
  valueBytes,
} from './calls.ts'
import { BenchCluster } from './cluster.ts'
import { type FailoverRound, failoverTable, measureFailover } from './failover.ts'
import { type LockRound, lockTable, measureLocks } from './locks.ts'
import { measurePicks, type PickRound, pickTable } from './picks.ts'
import { measureProxies, measureSlow, type ProxyRound, proxyTable, type SlowRound, slowTable } from './proxy.ts'

const usage = `Throughput, latency, memory and fail-over of three real processes, for each engine.

  npm run bench -- [--engines ${engineNames.join(',')}] [--quick]

  --engines LIST    which (default: all that are built in)
  --tables LIST     which of put, read, failover, locks, picks, proxy (default: all; proxy needs wrk, and HAProxy to compare with)
  --rounds N        clusters for each engine; tables show median and range (default 3)
  --clients LIST    closed loops of puts (default 1,16,64,256,1000)
  --scale X         times the usual number of calls (default 1)
  --failovers N     kills, and stops, of a leader in each round (default 5)
  --dir DIRECTORY   where nodes and limit programs keep their data, on a real disk (default: bench)
  --quick           one round, a quarter of the calls, 16, 64 and 256 clients, two fail-overs: a look, not a measurement
`

const { values: given } = parseArgs({
  options: {
    engines: { type: 'string', default: engineNames.join(',') },
    tables: { type: 'string', default: 'put,read,failover,locks,picks,proxy' },
    rounds: { type: 'string' },
    clients: { type: 'string' },
    scale: { type: 'string' },
    failovers: { type: 'string' },
    dir: { type: 'string', default: import.meta.dirname },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (given.help) {
  process.stdout.write(usage)
  process.exit(0)
}

const standard = given.quick
  ? { rounds: '1', clients: '16,64,256', scale: '0.25', failovers: '2' }
  : { rounds: '3', clients: '1,16,64,256,1000', scale: '1', failovers: '5' }

const refuse = (text: string): never => {
  process.stderr.write(`${text}\nnpm run bench -- --help says more.\n`)
  process.exit(2)
}
const numberOf = (name: 'rounds' | 'scale' | 'failovers'): number => {
  const value = Number(given[name] ?? standard[name])
  return value > 0 ? value : refuse(`--${name} takes a number above 0, not ${given[name]}`)
}
const listOf = (name: string, text: string, allowed: readonly string[]): readonly string[] => {
  const wrong = text.split(',').find((item) => !allowed.includes(item))
  return wrong === undefined ? text.split(',') : refuse(`--${name} takes ${allowed.join(', ')}, not ${wrong}`)
}

const engines = listOf('engines', given.engines, engineNames)
const tables = listOf('tables', given.tables, ['put', 'read', 'failover', 'locks', 'picks', 'proxy'])
const clients = (given.clients ?? standard.clients).split(',').map(Number)
if (!clients.every((count) => Number.isInteger(count) && count > 0))
  refuse(`--clients takes whole numbers above 0, not ${given.clients}`)
const [rounds, scale, failovers] = [numberOf('rounds'), numberOf('scale'), numberOf('failovers')]
const { dir } = given

const puts: PutRound[] = []
const memory: MemoryRound[] = []
const reads: ReadRound[] = []
const gaps: FailoverRound[] = []
const locks: LockRound[] = []
const picks: PickRound[] = []
const proxies: ProxyRound[] = []
const slow: SlowRound[] = []
/** How many processes wanted to run, beside and with ours, at the beginning of each cluster. */
const loads: number[] = []

const say = (text: string): void => {
  process.stderr.write(`${text}\n`)
}

const measure = async (cluster: BenchCluster): Promise<void> => {
  for (const count of tables.includes('put') ? clients : []) {
    say(`  puts, ${count} clients`)
    puts.push(await measurePuts(cluster, count, scale, dir))
  }
  if (tables.includes('put')) memory.push(await measureMemory(cluster))
  if (tables.includes('read')) {
    say('  reads')
    reads.push(...(await measureReads(cluster, scale)))
  }
  if (tables.includes('failover')) {
    say('  fail-over')
    gaps.push(...(await measureFailover(cluster, failovers)))
  }
  if (tables.includes('locks')) {
    say('  locks')
    locks.push(...(await measureLocks(cluster, scale)))
  }
}

const results = join(import.meta.dirname, 'results')
/** After each cluster, so that a run which is ended early is not for nothing. */
const keep = async (): Promise<void> => {
  await mkdir(results, { recursive: true })
  const about = { node: process.version, valueBytes, scale, loads }
  for (const [name, figures] of Object.entries({
    put: puts,
    memory,
    read: reads,
    failover: gaps,
    locks,
    picks,
    proxy: proxies,
    slow,
  })) {
    if (figures.length === 0) continue
    await writeFile(join(results, `${name}.json`), `${JSON.stringify({ ...about, figures }, undefined, 2)}\n`)
  }
}

/** Whether there is anything to do that takes a cluster. */
const clusters = tables.some((name) => name !== 'picks' && name !== 'proxy')

for (let round = 1; round <= rounds; round++) {
  if (tables.includes('picks')) {
    say(`round ${round} of ${rounds}, picks`)
    picks.push(...measurePicks(scale))
    await keep()
  }
  if (tables.includes('proxy')) {
    say(`round ${round} of ${rounds}, proxies; load of the machine ${(loadavg()[0] ?? Number.NaN).toFixed(2)}`)
    proxies.push(...(await measureProxies(scale, dir)))
    slow.push(...(await measureSlow(scale)))
    await keep()
  }
  for (const engine of clusters ? engines : []) {
    const load = loadavg()[0] ?? Number.NaN
    loads.push(load)
    say(`round ${round} of ${rounds}, ${engine}; load of the machine ${load.toFixed(2)}`)
    await BenchCluster.with(engine, dir, measure)
    await keep()
  }
}

if (puts.length > 0) process.stdout.write(putTable(puts) + memoryTable(memory))
if (reads.length > 0) process.stdout.write(readTable(reads))
if (gaps.length > 0) process.stdout.write(failoverTable(gaps))
if (locks.length > 0) process.stdout.write(lockTable(locks))
if (picks.length > 0) process.stdout.write(pickTable(picks))
if (proxies.length > 0) process.stdout.write(proxyTable(proxies) + slowTable(slow))
