import type { BalanceCandidate } from '../candidate.ts'
import type { Server } from './server.ts'
import type { Workload } from './workload.ts'

/** The times at which candidates change, in order; not the beginning. */
export const changesOf = ({ servers, durationMillis }: Workload): readonly number[] => {
  const times = servers.flatMap(({ joinsAtMillis, leavesAtMillis = 0 }) => [joinsAtMillis, leavesAtMillis])
  return [...new Set(times)].filter((time) => time > 0 && time < durationMillis).sort((a, b) => a - b)
}

export const candidatesAt = (servers: readonly Server[], time: number): readonly BalanceCandidate[] =>
  servers.filter((server) => server.presentAt(time)).map(({ candidate }) => candidate)
