/**
 * The turns of nginx' smooth weighted round robin: each turn adds its weight to each candidate's claim; the greatest claim gets the turn and is lowered by the
 * total of the weights. The claims sum up to 0.
 */
export class SmoothTurns {
  #ids: readonly string[] = []
  #claims = new Float64Array(0)

  /** Whose claims are kept from now on. A new one begins with 0, which is the average: nobody is starved or flooded by those who come. */
  follow(ids: readonly string[]): void {
    const before = new Map(this.#ids.map((id, at) => [id, this.#claims[at] ?? 0]))
    const stay = ids.filter((id) => before.has(id))
    // Those who left took their claims along: what is left sums up to 0 again.
    const average = stay.reduce((sum, id) => sum + (before.get(id) ?? 0), 0) / Math.max(1, stay.length)
    this.#claims = Float64Array.from(ids, (id) => {
      const claim = before.get(id)
      return claim === undefined ? 0 : claim - average
    })
    this.#ids = [...ids]
  }

  /** The index of whose turn it is; of equal claims the first. Undefined if nobody has any weight. O(n). */
  next(weights: ArrayLike<number>): number | undefined {
    const claims = this.#claims
    let best: number | undefined
    let most = Number.NEGATIVE_INFINITY
    let total = 0
    for (let at = 0; at < claims.length; at++) {
      const weight = weights[at] ?? 0
      if (weight === 0) continue
      const claim = (claims[at] ?? 0) + weight
      claims[at] = claim
      total += weight
      if (claim <= most) continue
      most = claim
      best = at
    }
    if (best !== undefined) claims[best] = most - total
    return best
  }
}
