import { isIPv4, isIPv6 } from 'node:net'

/** What whoever checks an instance found last. */
export type Health = 'passing' | 'failing'

/** One place at which a service is served. */
export interface ServiceInstance {
  /** Its name among the instances of its service. */
  readonly id: string
  /** `HOST:PORT`, or `[IPV6]:PORT`. */
  readonly address: string
  /** How much of the work it should get, relative to others: finite, above 0. */
  readonly weight: number
  readonly tags: readonly string[]
  readonly health: Health
  /** Where it stands, such as a data centre or a rack. */
  readonly zone?: string
}

/** What is said of an instance that is registered. */
export interface InstanceInit {
  /** Default: the address. 1 to 255 letters, digits and `. _ - : [ ]`. */
  readonly id?: string
  /** `HOST:PORT`, or `[IPV6]:PORT`; a port from 1 to 65535. */
  readonly address: string
  /** Finite, above 0. Default 1. */
  readonly weight?: number
  /** At most 32, each of 1 to 64 characters, none of them a control character. Default: none. */
  readonly tags?: readonly string[]
  /** Default `passing`. */
  readonly health?: Health
  /** As a tag. Default: none. */
  readonly zone?: string
}

/** What may be changed of an instance that is registered: all but who it is. */
export type InstanceChange = Partial<Omit<InstanceInit, 'id'>>

const most = { tags: 32, wordLength: 64, nameLength: 63, idLength: 255, hostLength: 253 } as const

const shown = (value: unknown): string => JSON.stringify(value) ?? String(value)

const textOf = (value: unknown, what: string): string => {
  if (typeof value === 'string') return value
  throw new TypeError(`${what} is text, got ${shown(value)}`)
}

/** @returns the name. @throws RangeError, TypeError */
export const checkedServiceName = (value: unknown): string => {
  const name = textOf(value, 'the name of a service')
  if (name.length <= most.nameLength && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) return name
  throw new RangeError(
    `the name of a service is 1 to ${most.nameLength} letters, digits, dots, underscores and hyphens, a letter or a digit first, got ${shown(name)}`,
  )
}

/** @returns the id. @throws RangeError, TypeError */
export const checkedInstanceId = (value: unknown): string => {
  const id = textOf(value, 'the id of an instance')
  // What names a file must not be a way out of its directory.
  if (id.length <= most.idLength && /^[A-Za-z0-9._:[\]-]+$/.test(id) && !/^\.\.?$/.test(id)) return id
  throw new RangeError(
    `the id of an instance is 1 to ${most.idLength} letters, digits and . _ - : [ ], got ${shown(id)}: give another one`,
  )
}

const isHost = (host: string): boolean => {
  if (/^[\d.]+$/.test(host)) return isIPv4(host)
  return (
    host.length <= most.hostLength &&
    host.split('.').every((label) => /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label))
  )
}

/** @returns the address. @throws RangeError, TypeError */
export const checkedAddress = (value: unknown): string => {
  const address = textOf(value, 'an address')
  const [, v6, host, port = ''] = /^(?:\[([^\]%]*)\]|([^:[\]]*)):([1-9]\d{0,4})$/.exec(address) ?? []
  const fit = v6 === undefined ? isHost(host ?? '') : isIPv6(v6)
  if (fit && Number(port) <= 65_535) return address
  throw new RangeError(
    `an address is HOST:PORT or [IPV6]:PORT with a port from 1 to 65535, such as 192.168.1.10:8080, got ${shown(address)}`,
  )
}

const checkedWeight = (value: unknown): number => {
  if (typeof value !== 'number') throw new TypeError(`a weight is a number, got ${shown(value)}`)
  if (Number.isFinite(value) && value > 0) return value
  throw new RangeError(`a weight is finite and above 0, got ${value}: to give it no work, say that it is failing`)
}

const checkedWord = (value: unknown, what: string): string => {
  const word = textOf(value, what)
  if (word.length > 0 && word.length <= most.wordLength && !/\p{Cc}/u.test(word) && word.isWellFormed()) return word
  throw new RangeError(
    `${what} has 1 to ${most.wordLength} characters, none of them a control character, got ${shown(word)}`,
  )
}

const checkedTags = (value: unknown): readonly string[] => {
  if (!Array.isArray(value)) throw new TypeError(`tags are a list of texts, got ${shown(value)}`)
  if (value.length > most.tags) throw new RangeError(`an instance has at most ${most.tags} tags, got ${value.length}`)
  return [...new Set(value.map((tag) => checkedWord(tag, 'a tag')))]
}

const checkedHealth = (value: unknown): Health => {
  if (value === 'passing' || value === 'failing') return value
  throw new RangeError(`health is passing or failing, got ${shown(value)}`)
}

/** The fields of an instance as they come from outside. */
export type UncheckedInstance = { readonly [Field in keyof InstanceInit]?: unknown }

/** Whole, and as it should be. @throws RangeError, TypeError */
export const checkedInstance = (init: UncheckedInstance): ServiceInstance => {
  const { weight = 1, tags = [], health = 'passing', zone } = init
  const address = checkedAddress(init.address)
  return {
    id: checkedInstanceId(init.id ?? address),
    address,
    weight: checkedWeight(weight),
    tags: checkedTags(tags),
    health: checkedHealth(health),
    ...(zone === undefined ? {} : { zone: checkedWord(zone, 'a zone') }),
  }
}
