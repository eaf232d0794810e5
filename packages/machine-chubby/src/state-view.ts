import { assert, type LogTime, MalformedBytes } from '@conclave/interface'
import { mayDo } from './acls.ts'
import { isValid } from './applying.ts'
import type { ChubbyCommand } from './commands.ts'
import type { EventLog } from './event-log.ts'
import type { AddressedEvent } from './events.ts'
import { limits } from './limits.ts'
import { isDelayed, standing } from './locks.ts'
import { byBytes } from './names.ts'
import { aclDirectoryOf, ancestorsOf, parentOf } from './paths.ts'
import type { ChubbyQuery } from './queries.ts'
import type { FileContents, HandleInfo, LockInfo, Problem, QueryReply, SessionInfo, Stat } from './replies.ts'
import { decodeSequencer } from './sequencer.ts'
import type { ChubbyState, HandleKey, HandleRecord, NodeRecord, SessionEntry } from './state.ts'
import type { ChubbyView, SessionView } from './view.ts'

const notThere: QueryReply = { status: 'refused', problem: 'no-node' }
const denied: QueryReply = { status: 'refused', problem: 'denied' }

/** Reads the state, on behalf of the session service and of whoever asks. */
export class StateView implements ChubbyView {
  readonly #current: () => ChubbyState
  readonly #events: EventLog

  /** @param current a restore puts another in its place. */
  constructor(current: () => ChubbyState, events: EventLog) {
    this.#current = current
    this.#events = events
  }

  get time(): LogTime {
    return this.#current().time
  }

  session(id: bigint): SessionView | undefined {
    return this.#current().sessions.get(id)?.record
  }

  *sessions(): Iterable<SessionView> {
    for (const { record } of this.#current().sessions.values()) yield record
  }

  nextLift(): number | undefined {
    const { awaited, time } = this.#current()
    let first: number | undefined
    for (const { lock } of awaited) {
      const left = Math.max(0, lock.delayUntil - time)
      if (first === undefined || left < first) first = left
    }
    return first
  }

  takeEvents(): readonly AddressedEvent[] {
    return this.#events.take()
  }
  ignoreEvents(): void {
    this.#events.ignore()
  }

  // ---- what a command may change --------------------------------------------------------------------------------------------------------

  touches(command: ChubbyCommand, isChanging: (path: string) => boolean): readonly string[] | 'all' {
    const paths = this.#touched(command, isChanging)
    return paths.some(isInAclDirectory) ? 'all' : paths
  }

  #touched(command: ChubbyCommand, isChanging: (path: string) => boolean): readonly string[] {
    const state = this.#current()
    switch (command.type) {
      case 'open':
        if (command.create === 'no') return []
        // What is there now may be gone before the command is applied, and be made anew by it.
        return [...(command.parents ? ancestorsOf(command.path) : []), command.path].filter(
          (path) => !state.nodes.has(path) || isChanging(path),
        )
      case 'write':
      case 'setAcl':
      case 'delete': {
        const handle = state.handle(command)
        return handle === undefined ? [] : [handle.path, ...this.#ephemeralAbove(handle.path)]
      }
      case 'close': {
        const handle = state.handle(command)
        return handle === undefined ? [] : this.#goesWith(handle)
      }
      case 'endSession':
      case 'expire': {
        const handles = state.sessions.get(command.session)?.handles.values() ?? []
        return [...new Set([...handles].flatMap((handle) => this.#goesWith(handle)))]
      }
      case 'createSession':
      case 'acquire':
      case 'release':
      case 'setSequencer':
      case 'raiseToken':
      case 'lift':
        return []
    }
  }

  /** Ephemeral nodes that may go when a handle is closed. */
  #goesWith({ path }: HandleRecord): readonly string[] {
    return this.#current().nodes.get(path)?.ephemeral === true ? [path, ...this.#ephemeralAbove(path)] : []
  }

  #ephemeralAbove(path: string): readonly string[] {
    const { nodes } = this.#current()
    return ancestorsOf(path).filter((ancestor) => nodes.get(ancestor)?.ephemeral === true)
  }

  // ---- answers --------------------------------------------------------------------------------------------------------------------------

  file(path: string, principal: string): FileContents | Problem | undefined {
    const node = this.#current().nodes.get(path)
    if (node === undefined) return undefined
    if (!mayDo(this.#current(), node, principal, 'read')) return 'denied'
    if (node.kind === 'directory') return 'is-a-directory'
    const { instance, contentGeneration, checksum, contents } = node
    return { instance, contentGeneration, checksum, contents }
  }

  answer(query: ChubbyQuery, principal: string): QueryReply {
    const state = this.#current()
    switch (query.type) {
      case 'file': {
        const file = this.file(query.path, principal)
        if (file === undefined) return notThere
        return typeof file === 'string' ? { status: 'refused', problem: file } : { status: 'file', file }
      }
      case 'stat':
      case 'children': {
        const node = state.nodes.get(query.path)
        if (node === undefined) return notThere
        if (!mayDo(state, node, principal, 'read')) return denied
        if (query.type === 'stat') return { status: 'stat', stat: this.#stat(node) }
        if (node.kind === 'file') return { status: 'refused', problem: 'not-a-directory' }
        return this.#children(query.path, query.after, query.limit)
      }
      case 'checkSequencer':
        return this.#checkSequencer(query.sequencer)
      case 'sessions':
        return this.#sessions(query.after, query.limit)
      case 'session':
        return this.#session(query.session, query.after)
      case 'locks':
        return this.#locks(query.prefix, query.after, query.limit)
      case 'info':
        return { status: 'info', token: state.token, nodes: state.nodes.size, sessions: state.sessions.size }
    }
  }

  #stat(node: NodeRecord): Stat {
    const state = this.#current()
    const { path, kind, ephemeral, instance, contentGeneration, aclGeneration, checksum, acl, lock } = node
    return {
      path,
      kind,
      ephemeral,
      instance,
      contentGeneration,
      lockGeneration: lock.generation,
      aclGeneration,
      size: kind === 'file' ? node.contents.length : state.childCount(path),
      checksum,
      acl,
      handles: state.handlesOn(path).size,
      lock: {
        mode: lock.mode,
        holders: lock.holders.length,
        waiters: lock.waiters.length,
        delay: this.#delayOf(node),
      },
    }
  }

  #delayOf({ lock }: NodeRecord): number {
    return isDelayed(lock, this.time) ? lock.delayUntil - this.time : 0
  }

  #children(path: string, after: string, limit: number): QueryReply {
    const state = this.#current()
    const names = from(state.childrenOf(path), (name) => byBytes(name, after) > 0)
    const { page, more } = pageOf(names, limit, (name) => this.#stat(present(state.nodes.get(`${path}/${name}`))))
    return { status: 'children', children: page, more }
  }

  #checkSequencer(bytes: Uint8Array): QueryReply {
    try {
      return { status: 'sequencer', valid: isValid(this.#current(), decodeSequencer(bytes)) }
    } catch (error) {
      if (error instanceof MalformedBytes) return { status: 'refused', problem: 'malformed' }
      throw error
    }
  }

  #infoOf({ record, handles }: SessionEntry): SessionInfo {
    const { id: session, principal, lease } = record
    const locks = [...handles.values()].filter((handle) => this.#standingOf(handle)?.state === 'held').length
    return { session, principal, lease, handles: handles.size, locks }
  }

  #standingOf(handle: HandleRecord): ReturnType<typeof standing> | undefined {
    const node = this.#current().nodeOf(handle)
    return node && standing(node.lock, node.instance, handle)
  }

  #sessions(after: bigint, limit: number): QueryReply {
    const { sessions } = this.#current()
    const ids = [...sessions.keys()].filter((id) => id > after).sort((a, b) => (a < b ? -1 : 1))
    const { page, more } = pageOf(ids, limit, (id) => this.#infoOf(present(sessions.get(id))))
    return { status: 'sessions', sessions: page, more }
  }

  #session(id: bigint, after: number): QueryReply {
    const entry = this.#current().sessions.get(id)
    if (entry === undefined) return { status: 'refused', problem: 'no-session' }
    const later = [...entry.handles.values()].filter(({ handle }) => handle > after)
    later.sort((a, b) => a.handle - b.handle)
    const { page, more } = pageOf(later, limits.page, (handle): HandleInfo => {
      const lock = this.#standingOf(handle)
      return { handle: handle.handle, path: handle.path, valid: lock !== undefined, lock: lock ?? { state: 'none' } }
    })
    return { status: 'session', session: this.#infoOf(entry), handles: page, more }
  }

  #locks(prefix: string, after: string, limit: number): QueryReply {
    const isAsked = ({ path, lock }: NodeRecord): boolean =>
      (path === prefix || path.startsWith(`${prefix}/`)) && isUsed(lock, this.time) && byBytes(path, after) > 0
    const used = this.#current()
      .inUse.filter(isAsked)
      .sort((a, b) => byBytes(a.path, b.path))
    const { page, more } = pageOf(used, limit, (node) => this.#lockInfo(node))
    return { status: 'locks', locks: page, more }
  }

  #lockInfo(node: NodeRecord): LockInfo {
    const { sessions } = this.#current()
    const party = ({ session, handle }: HandleKey) => ({
      session,
      handle,
      principal: sessions.get(session)?.record.principal ?? '',
    })
    const { mode, token, generation, holders, waiters } = node.lock
    return {
      path: node.path,
      mode,
      token,
      lockGeneration: generation,
      holders: holders.slice(0, limits.page).map(party),
      waiters: waiters.slice(0, limits.page).map((waiter) => ({ ...party(waiter), mode: waiter.mode })),
      delay: this.#delayOf(node),
    }
  }
}

const isUsed = (lock: NodeRecord['lock'], time: LogTime): boolean =>
  lock.holders.length > 0 || lock.waiters.length > 0 || isDelayed(lock, time)

const isInAclDirectory = (path: string): boolean => {
  const directory = aclDirectoryOf(path)
  return directory !== undefined && (path === directory || parentOf(path) === directory)
}

/** What follows in an ordered list from the first one on of which `isLater` holds. */
const from = <T>(ordered: readonly T[], isLater: (each: T) => boolean): readonly T[] => {
  const start = ordered.findIndex(isLater)
  return start < 0 ? [] : ordered.slice(start)
}

/** As many as there may be in one answer, by their number and by their bytes, but at least one. */
const pageOf = <T, Entry extends Measured>(
  all: readonly T[],
  limit: number,
  entryOf: (each: T) => Entry,
): { readonly page: readonly Entry[]; readonly more: boolean } => {
  const page: Entry[] = []
  let bytes = 0
  for (const each of all.slice(0, limit)) {
    const entry = entryOf(each)
    bytes += mostBytes(entry)
    if (bytes > limits.pageBytes && page.length > 0) break
    page.push(entry)
  }
  return { page, more: page.length < all.length }
}

type Measured = Stat | SessionInfo | HandleInfo | LockInfo

/** An upper bound of what it takes in an answer: a unit of UTF-16 takes at most three bytes. */
const mostBytes = (entry: Measured): number => {
  if ('principal' in entry) return fixedBytes + 3 * entry.principal.length
  const parties = 'waiters' in entry ? [...entry.holders, ...entry.waiters] : []
  const names = 'acl' in entry ? Object.values(entry.acl) : parties.map(({ principal }) => principal)
  return names.reduce((sum, name) => sum + partyBytes + 3 * name.length, fixedBytes + 3 * entry.path.length)
}
const [fixedBytes, partyBytes] = [96, 24]

const present = <T>(value: T | undefined): T => {
  assert(value !== undefined, 'the index names what is there')
  return value
}
