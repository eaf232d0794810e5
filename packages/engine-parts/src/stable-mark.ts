/**
 * How far the own log is on disk. A slot counts as durable only while no later write has replaced it: an entry that was truncated while its
 * write was in flight must not be acknowledged, nor counted, by the `persisted` of that write.
 */
export class StableMark {
  #position: number
  /** Writes in flight and the last position each covers, clamped by truncations that came after. */
  #pending: { readonly write: number; last: number }[] = []

  constructor(position: number) {
    this.#position = position
  }

  /** Every entry up to here, as the log stands now, is durable. */
  get position(): number {
    return this.#position
  }

  /** `write` brings the log on disk up to `last`. */
  issued(write: number, last: number): void {
    this.#pending.push({ write, last })
  }

  /** The log was cut at `position`; what was or will be written at or above it is replaced. */
  truncatedFrom(position: number): void {
    this.#position = Math.min(this.#position, position - 1)
    for (const pending of this.#pending) pending.last = Math.min(pending.last, position - 1)
  }

  /** A snapshot stands for everything up to `position`, once the write that names it is durable. */
  reset(): void {
    this.#position = 0
    for (const pending of this.#pending) pending.last = 0
  }

  persisted(write: number): void {
    let done = 0
    for (const pending of this.#pending) {
      if (pending.write > write) break
      this.#position = Math.max(this.#position, pending.last)
      done++
    }
    this.#pending.splice(0, done)
  }
}
