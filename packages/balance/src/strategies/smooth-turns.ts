/** Beside those that are present, as many again and so many more candidates are remembered. */
const remembered = 16

/**
 * The turns of nginx' smooth weighted round robin: each turn adds its weight to each candidate's claim; the greatest claim gets the turn and is
 * lowered by the total of the weights.
 */
export class SmoothTurns {
  #ids: readonly string[] = []
  /** Of the present ones, in their order. */
  #claims = new Float64Array(0)
  /** Of all that are remembered, as they were when the candidates changed the last time; those that left the longest ago first. */
  readonly #known = new Map<string, number>()

  /**
   * Who takes part from now on. A new one begins with the average claim, so that nobody is starved or flooded by those who come. One that left keeps
   * its claim for a while: else a candidate that is in every second list only would never come up to the others.
   */
  follow(ids: readonly string[]): void {
    for (const [at, id] of this.#ids.entries()) this.#known.set(id, this.#claims[at] ?? 0)
    const stay = ids.filter((id) => this.#known.has(id))
    const average = stay.reduce((sum, id) => sum + (this.#known.get(id) ?? 0), 0) / Math.max(1, stay.length)
    this.#claims = Float64Array.from(ids, (id) => this.#known.get(id) ?? average)
    for (const [at, id] of ids.entries()) {
      this.#known.delete(id)
      this.#known.set(id, this.#claims[at] ?? average)
    }
    for (const id of this.#known.keys()) {
      if (this.#known.size <= 2 * ids.length + remembered) break
      this.#known.delete(id)
    }
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
