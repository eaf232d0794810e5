/**
 * The load generator, a process of its own: `clients` closed loops of calls through the public client package.
 *
 *   node bench/load.ts '{"endpoints": [...], "call": "put", "clients": 64, "ops": 60000, "value": 256, "warmUp": 6000}'
 *
 * Prints one JSON line. Latencies are in milliseconds.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { type Client, connect } from '@conclave/client'

export interface Load {
  readonly endpoints: readonly string[]
  /** A put, or a get that is `linearizable` or `local`, of one key of 10,000. */
  readonly call: 'put' | 'linearizable' | 'local'
  readonly clients: number
  readonly ops: number
  /** Bytes of a value. */
  readonly value: number
  /** Operations before the clock starts. */
  readonly warmUp: number
}

export interface LoadResult {
  readonly opsPerSecond: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly clientMicrosPerOp: number
}

const caller = (client: Client, { call, value }: Load): ((key: string) => Promise<unknown>) => {
  if (call !== 'put') return (key) => client.kv.get(key, { level: call })
  const bytes = new Uint8Array(value).fill(0x78)
  return (key) => client.kv.put(key, bytes)
}

const closedLoops = async (client: Client, load: Load, ops: number, latencies?: RecordableHistogram): Promise<void> => {
  const call = caller(client, load)
  let next = 0
  const loop = async (): Promise<void> => {
    while (next < ops) {
      const key = `k${next++ % 10_000}`.padEnd(16)
      const begin = performance.now()
      await call(key)
      latencies?.record(Math.max(1, Math.round((performance.now() - begin) * 1000)))
    }
  }
  await Promise.all(Array.from({ length: Math.min(load.clients, ops) }, loop))
}

const measure = async (load: Load): Promise<LoadResult> => {
  await using client = await connect({ endpoints: load.endpoints })
  await closedLoops(client, load, load.warmUp)
  const latencies = createHistogram()
  const cpu = process.cpuUsage()
  const begin = performance.now()
  await closedLoops(client, load, load.ops, latencies)
  const seconds = (performance.now() - begin) / 1000
  const used = process.cpuUsage(cpu)
  const millis = (percentile: number): number => latencies.percentile(percentile) / 1000
  return {
    opsPerSecond: Math.round(load.ops / seconds),
    p50: millis(50),
    p99: millis(99),
    p999: millis(99.9),
    clientMicrosPerOp: Number(((used.user + used.system) / load.ops).toFixed(1)),
  }
}

process.stdout.write(`${JSON.stringify(await measure(JSON.parse(process.argv[2] ?? '{}') as Load))}\n`)
process.exit(0) // libp2p leaves a timer behind
