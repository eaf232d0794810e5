/** How long nobody's write is acknowledged when the leader is killed, or stops, under 64 writers. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BenchCluster, endpointsOf, type Seen } from './cluster.ts'
import { range, table } from './figures.ts'

interface Told {
  readonly gapMillis: number
  readonly acknowledged: number
  readonly failed: number
}

export interface FailoverRound extends Told {
  readonly engine: string
  /** `none`: nothing was done, which shows the noise of the machine. */
  readonly fault: 'none' | 'SIGKILL' | 'SIGSTOP'
}

const watchMillis = 4000
const settleMillis = 1000
/** Entries of the log. */
const mostBehind = 20

/** The longest gap in the time after `act`. */
const gapAfter = async (writers: ChildProcess, act: () => void): Promise<Told> => {
  writers.send('begin')
  await sleep(50)
  act()
  await sleep(watchMillis)
  const told = once(writers, 'message')
  writers.send('tell')
  const [message] = (await told) as [Told]
  return message
}

/** Everybody is there, one leads, and all have caught up: a quorum that has to wait for who was away is another story. */
const whole = async (cluster: BenchCluster): Promise<Seen & { readonly leader: string }> => {
  for (;;) {
    const seen = await cluster.see().catch(() => undefined)
    const applied = seen?.nodes.map(({ status }) => status?.applied ?? Number.NaN) ?? []
    const near = Math.max(...applied) - Math.min(...applied) < mostBehind
    if (seen !== undefined && seen.leader !== null && near) return { ...seen, leader: seen.leader }
    await sleep(200)
  }
}

export const measureFailover = async (cluster: BenchCluster, times: number): Promise<FailoverRound[]> => {
  const rounds: FailoverRound[] = []
  const writers = fork(join(import.meta.dirname, 'writers.ts'), endpointsOf(await whole(cluster)))
  try {
    for (let time = 0; time < times; time++) {
      for (const fault of ['none', 'SIGKILL', 'SIGSTOP'] as const) {
        const { leader, nodes } = await whole(cluster)
        const pid = nodes.find(({ name }) => name === leader)?.pid
        if (pid === undefined) throw new Error(`${leader} leads, but has no process`)
        await sleep(settleMillis)
        const told = await gapAfter(writers, () => void (fault !== 'none' && process.kill(pid, fault)))
        rounds.push({ engine: cluster.engine, fault, ...told })
        if (fault === 'SIGKILL') await cluster.restart(leader)
        if (fault === 'SIGSTOP') process.kill(pid, 'SIGCONT')
      }
    }
  } finally {
    writers.disconnect()
    await once(writers, 'exit')
  }
  return rounds
}

export const failoverTable = (rounds: readonly FailoverRound[]): string => {
  const engines = [...new Set(rounds.map(({ engine }) => engine))]
  const rows = [...new Set(rounds.map(({ fault }) => fault))].flatMap((fault) =>
    engines.map((engine) => {
      const own = rounds.filter((round) => round.engine === engine && round.fault === fault)
      return {
        'done to the leader': fault === 'none' ? 'nothing' : fault,
        engine,
        times: String(own.length),
        'longest gap without a write, ms': range(own.map(({ gapMillis }) => gapMillis)),
        'failed writes': String(own.reduce((sum, { failed }) => sum + failed, 0)),
      }
    }),
  )
  return table('Fail-over under 64 writers, default settings; median (range)', rows)
}
