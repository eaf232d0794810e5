/** What was sent to one peer along a contiguous log and is not acknowledged yet: the window that bounds how much is sent ahead. */
export class Inflight {
  readonly #sent: { readonly last: number; readonly bytes: number }[] = []
  #bytes = 0

  get isEmpty(): boolean {
    return this.#sent.length === 0
  }

  /** Whether more may be sent within `most` bytes. One message always may. */
  hasRoom(most: number): boolean {
    return this.isEmpty || this.#bytes < most
  }

  /** A message of so many bytes, whose last entry stands at `last`, is on its way. */
  sent(last: number, bytes: number): void {
    this.#sent.push({ last, bytes })
    this.#bytes += bytes
  }

  /** The peer has everything up to `position`. */
  acknowledged(position: number): void {
    let done = 0
    for (const { last, bytes } of this.#sent) {
      if (last > position) break
      this.#bytes -= bytes
      done++
    }
    if (done > 0) this.#sent.splice(0, done)
  }

  /** What was on its way is lost, or does not matter any more. */
  clear(): void {
    this.#sent.length = 0
    this.#bytes = 0
  }
}
