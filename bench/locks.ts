/** What the lock service does: pairs of lock and unlock, hand-overs, and what idle sessions and watchers cost. The load is in this process. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, connect, type Session } from '@conclave/client'
import { type BenchCluster, cpuMicros, endpointsOf, pidsOf } from './cluster.ts'
import { range, table } from './figures.ts'

export interface LockRound {
  readonly engine: string
  readonly row: string
  /** What `unit` says. */
  readonly value: number
  readonly unit: 'puts/s' | 'pairs/s' | 'hand-overs/s' | 'notifications/s' | 'server µs a session and second'
}

const watchers = 1000
const idleMillis = 6000
/** What a put writes. */
const value = new Uint8Array(256).fill(0x78)

const pair = async (session: Session, path: string): Promise<void> => {
  const lock = await session.lock(path)
  await lock.release()
}

/** How often in a second `once` is done by all loops together. */
const rate = async (loops: number, millis: number, once: (loop: number) => Promise<unknown>): Promise<number> => {
  const until = performance.now() + millis
  let count = 0
  const began = performance.now()
  await Promise.all(
    Array.from({ length: loops }, async (_, loop) => {
      while (performance.now() < until) {
        await once(loop)
        count++
      }
    }),
  )
  return (count * 1000) / (performance.now() - began)
}

/** Sessions that do nothing but live: what the three nodes use for each, less what they use without. */
const idle = async (client: Client, pids: readonly number[], count: number): Promise<number> => {
  const used = async (): Promise<number> => {
    const before = await cpuMicros(pids)
    await sleep(idleMillis)
    return (await cpuMicros(pids)) - before
  }
  const without = await used()
  const sessions: Session[] = []
  while (sessions.length < count)
    sessions.push(
      ...(await Promise.all(Array.from({ length: Math.min(500, count - sessions.length) }, () => client.session()))),
    )
  const difference = (await used()) - without
  await Promise.all(sessions.map((session) => session.end()))
  return difference / count / (idleMillis / 1000)
}

/** One change, told to so many sessions. */
const fanOut = async (client: Client, millis: number): Promise<number> => {
  const path = '/ls/local/bench/watched'
  await using writer = await client.session()
  await writer.write(path, '0')
  const sessions = await Promise.all(Array.from({ length: watchers }, () => client.session()))
  let told = 0
  let all: (() => void) | undefined
  await Promise.all(
    sessions.map(async (session) => {
      const handle = await session.open(path, { access: { write: false }, events: ['contents'] })
      void (async () => {
        for await (const event of handle.events()) if (event.type === 'contents' && ++told % watchers === 0) all?.()
      })().catch(() => {})
    }),
  )
  const changes = await rate(1, millis, async () => {
    const heard = new Promise<void>((resolve) => {
      all = resolve
    })
    await writer.write(path, String(told))
    await heard
  })
  await Promise.all(sessions.map((session) => session.end()))
  return changes * watchers
}

/** @param scale times the usual length and number of sessions. */
export const measureLocks = async (cluster: BenchCluster, scale: number): Promise<LockRound[]> => {
  const seen = await cluster.see()
  const pids = pidsOf(seen)
  await using client = await connect({ endpoints: endpointsOf(seen), timeout: 60_000 })
  await using session = await client.session()
  const millis = 5000 * scale
  const rounds: LockRound[] = []
  const add = (row: string, unit: LockRound['unit'], value: number): void =>
    void rounds.push({ engine: cluster.engine, row, unit, value })
  const put = (loop: number): Promise<unknown> => client.kv.put(`bench${loop}`, value)
  await rate(1, 500, () => pair(session, '/ls/local/bench/warm'))
  await rate(1, 500, put)
  // What one command costs: a pair is two, one after the other.
  for (const loops of [1, 16]) add(`puts, ${loops} at a time`, 'puts/s', await rate(loops, millis, put))
  add('lock + unlock, 1 client', 'pairs/s', await rate(1, millis, () => pair(session, '/ls/local/bench/one')))
  add(
    'lock + unlock, 16 clients',
    'pairs/s',
    await rate(16, millis, (loop) => pair(session, `/ls/local/bench/own${loop}`)),
  )
  const contenders = await Promise.all(Array.from({ length: 16 }, () => client.session()))
  const passed = await rate(16, millis, async (loop) => {
    const contender = contenders[loop]
    if (contender !== undefined) await pair(contender, '/ls/local/bench/contended')
  })
  add('16 contenders of one lock', 'hand-overs/s', passed)
  await Promise.all(contenders.map((contender) => contender.end()))
  for (const count of [1000, 10_000].filter((each) => each * scale >= 1000 || each === 1000))
    add(`${count} idle sessions`, 'server µs a session and second', await idle(client, pids, count))
  add(`one change to ${watchers} watchers`, 'notifications/s', await fanOut(client, millis))
  return rounds
}

export const lockTable = (rounds: readonly LockRound[]): string => {
  const engines = [...new Set(rounds.map(({ engine }) => engine))]
  const rows = [...new Set(rounds.map(({ row }) => row))].map((row) => ({
    what: row,
    unit: rounds.find((round) => round.row === row)?.unit ?? '',
    ...Object.fromEntries(
      engines.map((engine) => {
        const own = rounds.filter((round) => round.engine === engine && round.row === row)
        return [engine, range(own.map(({ value }) => value))]
      }),
    ),
  }))
  return table('Locks; median (range)', rows)
}
