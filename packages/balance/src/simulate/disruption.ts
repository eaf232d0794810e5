import { seededRandom } from '@conclave/interface'
import type { BalanceCandidate } from '../candidate.ts'
import type { Strategy } from '../strategies.ts'
import { candidatesAt, changesOf } from './changes.ts'
import type { DisruptionFigures } from './result.ts'
import type { Server } from './server.ts'
import { keyText } from './trace.ts'
import type { Workload } from './workload.ts'

/** So many keys are looked at. */
const mostKeys = 10_000

/** How many keys move when candidates change; null for a strategy that knows no keys, or when they never change. */
export const disruptionOf = (
  strategy: Strategy,
  workload: Workload,
  servers: readonly Server[],
): DisruptionFigures | null => {
  const changes = changesOf(workload)
  if (strategy.needs.key !== true || changes.length === 0) return null
  const balancer = strategy.factory<BalanceCandidate>({ random: seededRandom(1), now: () => 0 })
  const keys = Array.from({ length: Math.min(mostKeys, workload.keys.count) }, (_, key) => keyText(key))
  const placesAt = (time: number): (string | undefined)[] => {
    const candidates = candidatesAt(servers, time)
    return keys.map((key) => {
      const picked = balancer.pick({ key }, candidates)
      if (picked !== undefined) balancer.settled?.(picked, { latency: 0 })
      return picked?.id
    })
  }
  let moved = 0
  let needed = 0
  let before = placesAt(0)
  let present = new Set(candidatesAt(servers, 0).map(({ id }) => id))
  for (const time of changes) {
    const after = placesAt(time)
    const now = new Set(candidatesAt(servers, time).map(({ id }) => id))
    const had = (at: number): string => before[at] ?? ''
    moved += after.filter((id, at) => id !== had(at)).length / keys.length
    needed += after.filter((id = '', at) => !now.has(had(at)) || !present.has(id)).length / keys.length
    before = after
    present = now
  }
  return { changes: changes.length, moved: moved / changes.length, needed: needed / changes.length }
}
