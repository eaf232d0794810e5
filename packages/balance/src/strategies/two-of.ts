import type { Random } from '@conclave/interface'

/** An index below `count` other than `at`, each with the same probability; out of bounds if there is none. */
export const anotherOf = (count: number, at: number, random: Random): number => {
  if (count < 2) return count
  const drawn = Math.floor(random.next() * (count - 1))
  return drawn < at ? drawn : drawn + 1
}
