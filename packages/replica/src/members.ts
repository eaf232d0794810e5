import type { Effects, Engine, Membership } from '@conclave/interface'

const same = (one: Membership, other: Membership): boolean =>
  one === other || JSON.stringify(one) === JSON.stringify(other)

/**
 * Tells which configuration is decided. Of one that comes with a journal or a snapshot that is not said: the engine uses the latest in its log, decided or
 * not. It is, once everything is decided that was in the log then, unless the engine uses another one by that time; the decision of that one is told instead.
 */
export class Members {
  readonly #engine: Pick<Engine, 'status'>
  readonly #tell: (membership: Membership) => void
  #unsure: { readonly membership: Membership; readonly until: number } | undefined

  constructor(engine: Pick<Engine, 'status'>, tell: (membership: Membership) => void) {
    this.#engine = engine
    this.#tell = tell
    const { membership, last } = engine.status()
    if (last > 0) this.#unsure = { membership, until: last }
  }

  /** What a turn brought. */
  drained({ decide, restore }: Effects): void {
    const decided = decide.findLast((entry) => entry.type === 'members')
    if (decided !== undefined) {
      this.#unsure = undefined
      return this.#tell(decided.membership)
    }
    if (restore !== undefined) {
      const { membership, last } = this.#engine.status()
      this.#unsure = { membership, until: last }
    }
    if (this.#unsure !== undefined) this.#confirm(this.#unsure)
  }

  #confirm({ membership, until }: { readonly membership: Membership; readonly until: number }): void {
    const status = this.#engine.status()
    if (status.decided < until) return
    this.#unsure = undefined
    if (same(status.membership, membership)) this.#tell(membership)
  }
}
