/** Chooses one of several candidates for a request. Pure but for its own statistics. */
export interface Balancer<Request, Candidate> {
  /** Undefined if no candidate is fit. Does not keep `candidates`. */
  pick(request: Request, candidates: readonly Candidate[]): Candidate | undefined
  /** Told when a request that went to `candidate` ended. Latency in milliseconds. */
  settled?(candidate: Candidate, result: { readonly latency: number; readonly error?: unknown }): void
}
