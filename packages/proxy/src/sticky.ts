import { createHmac, randomBytes } from 'node:crypto'
import type { Instance } from './instance.ts'
import type { StickyCookieInit } from './options.ts'
import type { Roster } from './roster.ts'

/** Bytes of the hash that are kept: 128 bits, which nobody guesses. */
const tokenBytes = 16

/** Ties a client to an instance by a cookie that names it by a keyed hash: who reads it learns nothing of the addresses behind the proxy. */
export class StickyCookie {
  readonly #secret: string | Uint8Array
  readonly #pattern: RegExp
  readonly #name: string
  readonly #attributes: string
  readonly #tokens = new Map<string, string>()

  constructor({ name = 'conclave', secret = randomBytes(32), secure = false }: StickyCookieInit) {
    this.#secret = secret
    this.#name = name
    this.#pattern = new RegExp(`(?:^|;)[ \\t]*${name.replaceAll(/[.*+^$|]/g, '\\$&')}=([A-Za-z0-9_-]+)`)
    this.#attributes = `; Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`
  }

  joined(instance: Instance): void {
    this.#tokens.set(this.#tokenOf(instance), instance.id)
  }

  left(instance: Instance): void {
    this.#tokens.delete(this.#tokenOf(instance))
  }

  /** The instance that a `Cookie` field names, if it is in the list. */
  find(cookie: string | undefined, roster: Roster): Instance | undefined {
    const token = cookie === undefined ? undefined : this.#pattern.exec(cookie)?.[1]
    const id = token === undefined ? undefined : this.#tokens.get(token)
    return id === undefined ? undefined : roster.get(id)
  }

  /** The value of `Set-Cookie`. */
  setCookie(instance: Instance): string {
    return `${this.#name}=${this.#tokenOf(instance)}${this.#attributes}`
  }

  #tokenOf({ id }: Instance): string {
    return createHmac('sha256', this.#secret).update(id).digest().subarray(0, tokenBytes).toString('base64url')
  }
}
