/**
 * The least part of a list that still fails.
 *
 * Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE Transactions on Software Engineering 28(2), 2002,
 * section 3: the algorithm ddmin.
 */

/** Cuts `items` into `count` pieces of nearly equal length. */
const split = <T>(items: readonly T[], count: number): T[][] =>
  Array.from({ length: count }, (_, at) =>
    items.slice(Math.floor((at * items.length) / count), Math.floor(((at + 1) * items.length) / count)),
  )

/** The first of `candidates` that fails. */
const firstFailing = async <T>(
  candidates: readonly (readonly T[])[],
  fails: (part: readonly T[]) => Promise<boolean>,
): Promise<number> => {
  for (const [at, candidate] of candidates.entries()) if (await fails(candidate)) return at
  return -1
}

/**
 * A part of `items`, in their order, that fails and is 1-minimal: without any single one of its items it does not. `items` itself fails.
 * `fails` may answer false for everything from some time on (no more runs): the least part so far is returned.
 */
export const ddmin = async <T>(
  items: readonly T[],
  fails: (part: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> => {
  if (items.length === 0 || (await fails([]))) return []
  let left = items
  let pieces = 2
  while (left.length >= 2) {
    const parts = split(left, pieces)
    const subset = await firstFailing(parts, fails)
    if (subset !== -1) {
      left = parts[subset] ?? left
      pieces = 2
      continue
    }
    const complements = pieces === 2 ? [] : parts.map((_, out) => parts.filter((_, at) => at !== out).flat())
    const complement = await firstFailing(complements, fails)
    if (complement !== -1) {
      left = complements[complement] ?? left
      pieces = Math.max(pieces - 1, 2)
      continue
    }
    if (pieces >= left.length) break
    pieces = Math.min(left.length, pieces * 2)
  }
  return left
}
