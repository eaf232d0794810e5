/**
 * Chooses one of several candidates for a request. A function of its seed and of the calls so far: no clock, no timer, no randomness of its own.
 */
export interface Balancer<Request, Candidate> {
  /**
   * One of `candidates`; undefined if none is fit, and of an empty list. `candidates` is as it stands at this moment and may differ from call to
   * call: who is not in it is not picked. It is read, not changed, and not kept: the caller may use the array for something else afterwards.
   */
  pick(request: Request, candidates: readonly Candidate[]): Candidate | undefined
  /**
   * Told when a request that went to `candidate` ended. Latency in milliseconds, from 0 up. The candidate may be gone by then, and may be one that
   * this balancer never picked. Never throws.
   */
  settled?(candidate: Candidate, result: { readonly latency: number; readonly error?: unknown }): void
}
