import { LogTail } from '@conclave/engine-parts'
import type { Entry, Term } from './entry.ts'

/** The replicated log, as far as it is kept in memory. */
export class RaftLog extends LogTail<Entry, Term> {
  protected override reignOf({ term }: Entry): Term {
    return term
  }

  get lastTerm(): Term {
    return this.lastReign
  }

  /** The term at a position in [base, last]; undefined outside. */
  term(position: number): Term | undefined {
    return this.reign(position)
  }

  /** The first position in memory (above base) of the term that stands at `position`, for the conflict back-off. */
  firstOfTerm(position: number): number {
    const wanted = this.term(position)
    let first = position
    while (first - 1 > this.base && this.term(first - 1) === wanted) first--
    return first
  }

  /** The last position at or below `from` whose term is at most `limit`; never below base. */
  lastAtMost(limit: Term, from: number): number {
    if (limit === 0) return this.base
    let at = Math.min(from, this.last)
    while (at > this.base && (this.term(at) ?? limit) > limit) at--
    return at
  }

  /** Whether a candidate with this last entry has a log at least as up to date as this one (Raft, extended version, section 5.4.1). */
  isUpToDate(lastPosition: number, lastTerm: Term): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastPosition >= this.last)
  }
}
