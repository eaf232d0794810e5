import assert from 'node:assert/strict'

/**
 * The part of right balancers that fail a distribution test with a seed: one in a million at most. Seeds are fixed, so the same balancer always has
 * the same outcome.
 */
export const errorRate = 1e-6

/** The standard normal distribution is above this with the probability `errorRate`. */
const deviations = 4.753424

/**
 * What chi-square exceeds with the probability `errorRate` or a little less: so far out the approximation of Wilson and Hilferty (PNAS 17(12), 1931)
 * is too high by a few percent.
 */
export const criticalValue = (freedom: number): number => {
  const part = 2 / (9 * freedom)
  return freedom * (1 - part + deviations * Math.sqrt(part)) ** 3
}

/**
 * Asserts that counts are those of independent draws with these shares, or nearer to them, as turns are.
 * @throws AssertionError
 */
export const assertShares = (counts: readonly number[], shares: readonly number[]): void => {
  assert.equal(shares.length, counts.length, 'shares() gives a share for each candidate')
  const sum = shares.reduce((total, share) => total + share, 0)
  assert.ok(Math.abs(sum - 1) < 1e-6, `shares() sums up to ${sum}, not to 1`)
  const total = counts.reduce((all, count) => all + count, 0)
  let statistic = 0
  let freedom = -1
  for (const [at, count] of counts.entries()) {
    const expected = (shares[at] ?? 0) * total
    if (expected === 0) {
      assert.equal(count, 0, `candidate ${at} has a share of nothing and was picked ${count} times`)
      continue
    }
    statistic += (count - expected) ** 2 / expected
    freedom++
  }
  if (freedom < 1) return
  const most = criticalValue(freedom)
  assert.ok(
    statistic <= most,
    `picks ${counts.join(', ')}, expected ${shares.map((share) => (share * total).toFixed(1)).join(', ')}: ` +
      `chi-square ${statistic.toFixed(1)} exceeds ${most.toFixed(1)}, as at most one right balancer in ${1 / errorRate} does`,
  )
}
