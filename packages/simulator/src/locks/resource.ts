/** What locks guard: it keeps the highest token of each lock that it has seen, and lets nothing lower pass. */
export class Resource {
  readonly #highest = new Map<string, bigint>()
  /** Who wrote with a token first. */
  readonly #owners = new Map<bigint, number>()

  /** @returns whether it is written; `stolen`: with a token that is another client's. */
  write(path: string, token: bigint, client: number): 'written' | 'refused' | 'stolen' {
    if ((this.#highest.get(path) ?? 0n) > token) return 'refused'
    this.#highest.set(path, token)
    const owner = this.#owners.get(token) ?? client
    this.#owners.set(token, owner)
    return owner === client ? 'written' : 'stolen'
  }
}
