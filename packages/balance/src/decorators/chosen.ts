/** A part of the candidates of a call, in an array that is used again for the next call. */
export class Chosen<Candidate> {
  readonly #list: Candidate[] = []

  /** Those of `candidates` that are wanted, in their order: `candidates` itself if all are. Valid until the next call. */
  of(candidates: readonly Candidate[], wanted: (candidate: Candidate, at: number) => boolean): readonly Candidate[] {
    const list = this.#list
    let count = 0
    for (let at = 0; at < candidates.length; at++) {
      const candidate = candidates[at]
      if (candidate === undefined || !wanted(candidate, at)) continue
      list[count++] = candidate
    }
    // Nobody who was left out is held on to.
    list.length = count
    return count === candidates.length ? candidates : list
  }
}
