/** What is used of the package `hashring`, which has no types of its own. */
declare module 'hashring' {
  export default class HashRing {
    /** Servers, or their weights by name. */
    constructor(servers: readonly string[] | Readonly<Record<string, number>>)
    get(key: string): string
    points(): Readonly<Record<string, readonly number[]>>
  }
}
