/** This proxy beside HAProxy and a plain one on Node, and what strategies do about a slow instance. Loads come from wrk, in a process of its own. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cpuMicros } from './cluster.ts'
import { range, table } from './figures.ts'

const run = promisify(execFile)
const programs = join(import.meta.dirname, 'proxy-programs.ts')

export interface ProxyRound {
  readonly load: string
  readonly proxy: string
  /** Left out: the program is not installed. */
  readonly figures?: {
    readonly perSecond: number
    /** Milliseconds. */
    readonly p99: number
    /** Of the proxy, microseconds a request. */
    readonly cpu: number
  }
}

export interface SlowRound {
  readonly strategy: string
  readonly perSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}

interface Running {
  readonly address: string
  readonly pid: number
}

/** Processes, ended together. */
class Processes implements AsyncDisposable {
  readonly #children: ChildProcess[] = []

  async program(...args: readonly string[]): Promise<Running> {
    const child = this.#spawn(process.execPath, [programs, ...args])
    if (child.stdout === null) throw new Error('a program tells its port on standard output')
    const [port] = await once(child.stdout, 'data')
    return { address: `127.0.0.1:${Number(port)}`, pid: child.pid ?? 0 }
  }

  async haproxy(mode: string, addresses: readonly string[], directory: string): Promise<Running> {
    const port = await freePort()
    const file = join(directory, 'haproxy.cfg')
    const servers = addresses.map((address, at) => `  server s${at} ${address}`)
    await writeFile(
      file,
      `global
  maxconn 2000
  nbthread 1
defaults
  mode ${mode}
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  ${mode === 'http' ? 'option forwardfor\n  http-reuse always' : 'option tcplog'}
listen bench
  bind 127.0.0.1:${port}
  balance roundrobin
${servers.join('\n')}
`,
    )
    const child = this.#spawn('haproxy', ['-f', file, '-db'])
    const address = `127.0.0.1:${port}`
    while (!(await answers(address))) if (child.exitCode !== null) throw new Error('haproxy ended')
    return { address, pid: child.pid ?? 0 }
  }

  #spawn(command: string, args: readonly string[]): ChildProcess {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    this.#children.push(child)
    return child
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const answers = (address: string): Promise<boolean> =>
  fetch(`http://${address}/`).then(
    (response) => response.arrayBuffer().then(() => true),
    () => false,
  )

const installed = (command: string): Promise<boolean> =>
  run(command, ['-v']).then(
    () => true,
    // wrk says its version and ends with 1.
    (error: { readonly code?: unknown }) => error.code !== 'ENOENT',
  )

interface Load {
  readonly requests: number
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
}

const units: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 }

const wrk = async (address: string, connections: number, seconds: number): Promise<Load> => {
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', `http://${address}/`]
  const { stdout } = await run('wrk', args)
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`requests failed:\n${stdout}`)
  const percentile = (name: string): number => {
    const [, digits, unit = ''] = new RegExp(`^ +${name}% +([\\d.]+)(us|ms|s|m)$`, 'm').exec(stdout) ?? []
    return Number(digits) * (units[unit] ?? Number.NaN)
  }
  return {
    requests: Number(/(\d+) requests in/.exec(stdout)?.[1]),
    perSecond: Number(/Requests\/sec: +([\d.]+)/.exec(stdout)?.[1]),
    p50: percentile('50'),
    p99: percentile('99'),
  }
}

const loads = [
  { load: 'HTTP, 1 KiB, 64 connections', mode: 'http', bytes: 1024, connections: 64 },
  { load: 'HTTP, 256 KiB, 16 connections', mode: 'http', bytes: 262_144, connections: 16 },
  { load: 'TCP, 1 KiB, 64 connections', mode: 'tcp', bytes: 1024, connections: 64 },
] as const

/** @param scale times the usual length. @param directory for HAProxy's configuration. */
export const measureProxies = async (scale: number, directory: string): Promise<ProxyRound[]> => {
  if (!(await installed('wrk'))) throw new Error('the table proxy needs wrk: apt-get install wrk')
  const there = await installed('haproxy')
  const own = await mkdtemp(join(directory, 'proxy-'))
  const rounds: ProxyRound[] = []
  try {
    for (const { load, mode, bytes, connections } of loads) {
      await using processes = new Processes()
      const [first, second] = [
        await processes.program('instance', String(bytes), '0'),
        await processes.program('instance', String(bytes), '0'),
      ]
      const addresses = [first.address, second.address]
      const proxies: readonly (readonly [proxy: string, running: Running | undefined])[] = [
        ['HAProxy', there ? await processes.haproxy(mode, addresses, own) : undefined],
        ['Conclave', await processes.program('conclave', mode, 'round-robin', ...addresses)],
        ...(mode === 'http' ? ([['plain Node', await processes.program('plain', ...addresses)]] as const) : []),
        ['none', first],
      ]
      for (const [proxy, running] of proxies) {
        if (running === undefined) {
          rounds.push({ load, proxy })
          continue
        }
        await wrk(running.address, connections, 1)
        const before = await cpuMicros([running.pid])
        const { perSecond, p99, requests } = await wrk(running.address, connections, Math.max(1, Math.round(6 * scale)))
        const cpu = ((await cpuMicros([running.pid])) - before) / requests
        rounds.push({ load, proxy, figures: { perSecond, p99, cpu } })
      }
    }
  } finally {
    await rm(own, { recursive: true, force: true })
  }
  return rounds
}

const compared = ['round-robin', 'least-requests', 'p2c', 'peak-ewma'] as const
/** Milliseconds that a request takes at four instances, and at the fifth; each serves one at a time. */
const [fast, slow] = [2, 40]

/** Five instances, of which one is twenty times slower than the others. */
export const measureSlow = async (scale: number): Promise<SlowRound[]> => {
  const rounds: SlowRound[] = []
  for (const strategy of compared) {
    await using processes = new Processes()
    const addresses: string[] = []
    for (const millis of [slow, fast, fast, fast, fast])
      addresses.push((await processes.program('instance', '128', String(millis))).address)
    const { address } = await processes.program('conclave', 'http', strategy, ...addresses)
    const { perSecond, p50, p99 } = await wrk(address, 16, Math.max(2, Math.round(10 * scale)))
    rounds.push({ strategy, perSecond, p50, p99 })
  }
  return rounds
}

export const proxyTable = (rounds: readonly ProxyRound[]): string => {
  const figuresOf = (load: string, proxy: string) =>
    rounds.filter((round) => round.load === load && round.proxy === proxy).flatMap(({ figures }) => figures ?? [])
  const ratio = (load: string, proxy: string, other: string): string => {
    const [own, others] = [figuresOf(load, proxy), figuresOf(load, other)]
    return range(
      own.map(({ perSecond }, at) => perSecond / (others[at]?.perSecond ?? Number.NaN)).filter(Number.isFinite),
      2,
    )
  }
  const rows = [...new Set(rounds.map(({ load }) => load))].flatMap((load) =>
    [...new Set(rounds.filter((round) => round.load === load).map(({ proxy }) => proxy))].map((proxy) => {
      const own = figuresOf(load, proxy)
      const missing = own.length === 0
      return {
        load,
        proxy: missing ? `${proxy} (not installed)` : proxy,
        'requests/s': range(own.map(({ perSecond }) => perSecond)),
        'of HAProxy': ratio(load, proxy, 'HAProxy'),
        'of plain Node': ratio(load, proxy, 'plain Node'),
        'p99 ms': range(
          own.map(({ p99 }) => p99),
          1,
        ),
        'CPU µs/request': range(
          own.map(({ cpu }) => cpu),
          1,
        ),
      }
    }),
  )
  return table('Proxies, one thread each; median (range)', rows)
}

export const slowTable = (rounds: readonly SlowRound[]): string => {
  const of = (strategy: string) => rounds.filter((round) => round.strategy === strategy)
  const turns = of('round-robin')
  const rows = compared.map((strategy) => ({
    strategy,
    'requests/s': range(of(strategy).map(({ perSecond }) => perSecond)),
    'p50 ms': range(
      of(strategy).map(({ p50 }) => p50),
      1,
    ),
    'p99 ms': range(
      of(strategy).map(({ p99 }) => p99),
      1,
    ),
    'p99 of round-robin': range(
      of(strategy).map(({ p99 }, at) => p99 / (turns[at]?.p99 ?? Number.NaN)),
      2,
    ),
  }))
  return table('Five instances, one 20 times slower; median (range)', rows)
}
