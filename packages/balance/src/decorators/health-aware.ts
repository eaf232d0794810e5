import type { Balancer } from '@conclave/interface'

/** A balancer that leaves out candidates which are not fit. Decorators of one pass on what those within judge. */
export interface HealthAware<Request, Candidate> extends Balancer<Request, Candidate> {
  /** Whether `candidate` is fit at this moment, to this balancer and to those that it decorates. */
  fit(candidate: Candidate): boolean
  /** As `pick`, but of all candidates, fit or not: for when too few are. Limits of load still hold. */
  pickAny(request: Request, candidates: readonly Candidate[]): Candidate | undefined
}

/** `inner` itself, or one in its place to which all candidates are fit. */
export const healthAware = <Request, Candidate>(
  inner: Balancer<Request, Candidate> | HealthAware<Request, Candidate>,
): HealthAware<Request, Candidate> => {
  if ('fit' in inner) return inner
  return {
    fit: () => true,
    pick: (request, candidates) => inner.pick(request, candidates),
    pickAny: (request, candidates) => inner.pick(request, candidates),
    settled: (candidate, result) => inner.settled?.(candidate, result),
  }
}
