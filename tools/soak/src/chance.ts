import type { Random } from '@conclave/interface'

/** Uniform between two numbers. */
export const between = (random: Random, least: number, most: number): number => least + random.next() * (most - least)

export const pick = <T>(random: Random, values: readonly T[]): T => {
  const value = values[Math.floor(random.next() * values.length)]
  if (value === undefined) throw new RangeError('there is nothing to pick from')
  return value
}

/** All of `values`, in an order of chance. */
export const shuffled = <T>(random: Random, values: readonly T[]): T[] =>
  values
    .map((value) => ({ value, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value)

/** One of `values`, each as likely as its weight says. */
export const pickWeighted = <T extends { readonly weight: number }>(random: Random, values: readonly T[]): T => {
  let left = random.next() * values.reduce((sum, { weight }) => sum + weight, 0)
  for (const value of values) {
    left -= value.weight
    if (left < 0) return value
  }
  return pick(random, values)
}
