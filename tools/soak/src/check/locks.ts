/**
 * Holds of locks against each other, by the one clock of the machine: nobody believes in a lock while another does, and fencing tokens rise with time. Holders judge by their own clock
 * and lease, so this is what `lock.held` promises, not only what the cluster has in its log.
 */
import type { Hold } from '../history.ts'
import type { Violation } from './violation.ts'

const about = ({ worker, mode, token, from, until }: Hold): string =>
  `${worker} (${mode}, token ${token}, ${from} to ${until} µs)`

export const checkLocks = (holds: readonly Hold[]): Violation[] => {
  if (holds.length === 0) return [{ check: 'idle', text: 'no lock was ever held' }]
  const violations: Violation[] = []
  for (const [path, own] of Map.groupBy(holds, (hold) => hold.path))
    violations.push(
      ...checkPath(
        path,
        own.toSorted((a, b) => a.from - b.from),
      ),
    )
  return [...violations, ...checkTokens(holds)]
}

const checkPath = (path: string, holds: readonly Hold[]): Violation[] => {
  const violations: Violation[] = []
  // Of those that began before: whoever goes on longest, whoever alone goes on longest, and the last that is over.
  let longest: Hold | undefined
  let longestAlone: Hold | undefined
  for (const hold of holds) {
    const other = hold.mode === 'exclusive' ? longest : longestAlone
    if (other !== undefined && other.until >= hold.from)
      violations.push({ check: 'mutual exclusion', text: `${path}: ${about(other)} and ${about(hold)}` })
    if (longest === undefined || hold.until > longest.until) longest = hold
    if (hold.mode === 'exclusive' && (longestAlone === undefined || hold.until > longestAlone.until))
      longestAlone = hold
  }
  return violations
}

/** One counter of the cell: whoever is granted a lock after another was seen to hold one has no lower token, and a higher one unless they share the lock. */
const checkTokens = (holds: readonly Hold[]): Violation[] => {
  const violations: Violation[] = []
  const found = (text: string): void => {
    violations.push({ check: 'fencing tokens', text })
  }
  const first = new Map<string, Hold>()
  for (const hold of holds) {
    const other = first.get(hold.token)
    if (other === undefined) first.set(hold.token, hold)
    else if (other.path !== hold.path || other.mode === 'exclusive' || hold.mode === 'exclusive')
      found(`one token for ${other.path}: ${about(other)} and for ${hold.path}: ${about(hold)}`)
  }
  for (const [path, own] of Map.groupBy(holds, (hold) => hold.path)) {
    let highest: Hold | undefined
    // A hold that was over before another began: in the order of their ends, against those in the order of their beginnings.
    const ended = own.toSorted((a, b) => a.until - b.until)
    let at = 0
    for (const hold of own.toSorted((a, b) => a.from - b.from)) {
      for (let past = ended[at]; past !== undefined && past.until < hold.from; past = ended[++at])
        if (highest === undefined || BigInt(past.token) > BigInt(highest.token)) highest = past
      if (highest !== undefined && BigInt(hold.token) < BigInt(highest.token))
        found(`${path}: ${about(hold)} after ${about(highest)}`)
    }
  }
  return violations
}
