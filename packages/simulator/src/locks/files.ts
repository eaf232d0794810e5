import type { ChubbyCommand, CommandReply } from '@conclave/machine-chubby'

/** A file as it stood from one command of the log to another. */
interface Version {
  /** Undefined: there is no such file. */
  readonly contents: string | undefined
  /** The name of the access control list that says who may read it; empty: everybody may. */
  readonly acl: string
  /** Of that list then, if there was one. */
  readonly list: string | undefined
}

interface History {
  readonly versions: Version[]
  /** An earlier version than this one nobody may see any more. */
  floor: number
}

interface Node {
  readonly contents: string
  readonly acl: string
}

const decoder = new TextDecoder()
const textOf = (contents: Uint8Array): string => decoder.decode(contents)
const cell = '/ls/cell'
const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))

/** What a client sees of a file, in words that are compared. */
export const seenAs = (contents: string | undefined): string => (contents === undefined ? 'no file' : `"${contents}"`)
export const denied = 'denied'

const asSeenBy = (principal: string, { contents, acl, list }: Version): string => {
  const mayRead = contents === undefined || acl === '' || list?.split('\n').includes(principal) === true
  return mayRead ? seenAs(contents) : denied
}

/**
 * What files have held, by the log, and what a read must see at least: what was acknowledged, or read by anybody, before it began. Contents are never written twice, so that a read tells
 * which version it saw. Knows nothing of how the lock service does it.
 */
export class Files {
  readonly #list: string
  readonly #broken: (what: string) => void
  readonly #nodes = new Map<string, Node>([[cell, { contents: '', acl: '' }]])
  readonly #histories = new Map<string, History>()

  /** @param list the path of the only access control list that is used. */
  constructor(list: string, broken: (what: string) => void) {
    this.#list = list
    this.#broken = broken
  }

  #now(path: string): Version {
    const node = this.#nodes.get(path)
    return { contents: node?.contents, acl: node?.acl ?? '', list: this.#nodes.get(this.#list)?.contents }
  }

  #of(path: string): History {
    const known = this.#histories.get(path)
    if (known !== undefined) return known
    const made = { versions: [this.#now(path)], floor: 0 }
    this.#histories.set(path, made)
    return made
  }

  // ---- what the log says --------------------------------------------------------------------------------------------------------------------

  /** @param path of the command's handle. */
  applied(command: ChubbyCommand, reply: CommandReply, path: string): void {
    // Before it changes, for the version that it replaces.
    this.#of(path)
    const node = this.#nodes.get(path)
    if (command.type === 'open' && reply.status === 'opened' && reply.created)
      this.#make(path, textOf(command.contents))
    else if (command.type === 'delete' && reply.status === 'deleted') this.#nodes.delete(path)
    else if (node === undefined) return
    else if (command.type === 'write' && reply.status === 'written')
      this.#nodes.set(path, { ...node, contents: textOf(command.contents) })
    else if (command.type === 'setAcl' && reply.status === 'aclSet')
      this.#nodes.set(path, { ...node, acl: command.acl.read })
    else return
    if (path !== this.#list) this.#of(path).versions.push(this.#now(path))
    else for (const [each, { versions }] of this.#histories) versions.push(this.#now(each))
  }

  /** It has the lists of the directory that it is made in. */
  #make(path: string, contents: string): Node {
    const parent = parentOf(path)
    const { acl } = this.#nodes.get(parent) ?? this.#make(parent, '')
    const node = { contents, acl }
    this.#nodes.set(path, node)
    return node
  }

  // ---- what clients see ---------------------------------------------------------------------------------------------------------------------

  /** A read that begins now has to see this version or a later one. */
  floor(path: string): number {
    return this.#of(path).floor
  }

  /** What begins now is applied after this version. */
  latest(path: string): number {
    return this.#of(path).versions.length - 1
  }

  /** A change that began after version `from` is acknowledged. */
  acknowledged(path: string, from: number, made: (version: Version) => boolean): void {
    const version = this.#first(path, from, made)
    if (version === undefined) return this.#broken(`a change of ${path} was acknowledged, and is not in the log`)
    this.#raise(path, version)
    if (path !== this.#list) return
    // Who may read a file may have changed with it.
    const { contents } = this.#of(path).versions[version] as Version
    for (const each of this.#histories.keys()) {
      const changed = this.#first(each, 0, ({ list }) => list === contents)
      if (contents !== undefined && changed !== undefined) this.#raise(each, changed)
    }
  }

  #first(path: string, from: number, fits: (version: Version) => boolean): number | undefined {
    const found = this.#of(path).versions.findIndex((version, at) => at >= from && fits(version))
    return found < 0 ? undefined : found
  }

  #raise(path: string, version: number): void {
    const history = this.#of(path)
    if (version > history.floor) history.floor = version
  }

  /** @param floor as it was when the read began. */
  read(path: string, floor: number, seen: string, principal: string, level: string): void {
    const { versions } = this.#of(path)
    const found = this.#first(path, floor, (version) => asSeenBy(principal, version) === seen)
    if (found !== undefined) return this.#raise(path, found)
    const later = [...new Set(versions.slice(floor).map((version) => asSeenBy(principal, version)))].join(', ')
    this.#broken(`${principal} read ${path} (${level}) and saw ${seen}: since what was known before there was ${later}`)
  }
}
