/** The replicated state: records that are never changed but replaced, so that a capture only has to hold on to them. */
import { assert, type Epoch, epoch as epochOf, type LogTime } from '@conclave/interface'
import type { Access, AclNames, LockMode, Subscription } from './commands.ts'
import { Names } from './names.ts'
import { nameOf, parentOf, root } from './paths.ts'
import type { Sequencer } from './sequencer.ts'

/** Names a handle in the whole cell. */
export interface HandleKey {
  readonly session: bigint
  readonly handle: number
}

export interface Waiter extends HandleKey {
  readonly mode: LockMode
}

export interface LockRecord {
  readonly mode: 'free' | LockMode
  /** Of the present generation; 0: it was never held. */
  readonly token: bigint
  readonly generation: bigint
  readonly holders: readonly HandleKey[]
  /** First come, first served. */
  readonly waiters: readonly Waiter[]
  /** Nobody gets it before; 0: no delay. */
  readonly delayUntil: LogTime
}

export interface NodeRecord {
  readonly path: string
  readonly kind: 'file' | 'directory'
  readonly ephemeral: boolean
  readonly instance: bigint
  readonly contentGeneration: bigint
  readonly aclGeneration: bigint
  readonly acl: AclNames
  /** An array of its own. Empty for directories. */
  readonly contents: Uint8Array
  readonly checksum: number
  readonly lock: LockRecord
}

export interface HandleRecord extends HandleKey {
  readonly path: string
  /** Of the node that was opened: a later one of that name is another. */
  readonly instance: bigint
  readonly access: Access
  readonly subscriptions: readonly Subscription[]
  readonly lockDelay: number
  readonly sequencer?: Sequencer
}

export interface SessionRecord {
  readonly id: bigint
  readonly principal: string
  /** Milliseconds. */
  readonly lease: number
}

/** A session with what is open in it. */
export interface SessionEntry {
  readonly record: SessionRecord
  readonly handles: Map<number, HandleRecord>
}

export const freeLock: LockRecord = {
  mode: 'free',
  token: 0n,
  generation: 0n,
  holders: [],
  waiters: [],
  delayUntil: 0 as LogTime,
}

export const noAcl: AclNames = { read: '', write: '', changeAcl: '' }
const noBytes = new Uint8Array(0)

const rootRecord: NodeRecord = {
  path: root,
  kind: 'directory',
  ephemeral: false,
  instance: 1n,
  contentGeneration: 0n,
  aclGeneration: 0n,
  acl: noAcl,
  contents: noBytes,
  checksum: 0,
  lock: freeLock,
}

export const same = (a: HandleKey, b: HandleKey): boolean => a.session === b.session && a.handle === b.handle

/** The state, and what can be derived of it. */
export class ChubbyState {
  readonly nodes = new Map<string, NodeRecord>([[root, rootRecord]])
  readonly sessions = new Map<bigint, SessionEntry>()
  /** The highest fencing token that was granted, or raised to. */
  token = 0n
  /** Of the node that was made last. */
  instance = 1n
  /** Of the present reign. */
  epoch: Epoch = epochOf(0n)
  time = 0 as LogTime

  /** Names in each directory that has some. */
  readonly #children = new Map<string, Names>()
  /** Handles on each node that has some; also those whose node is gone are not among them. */
  readonly #handles = new Map<string, Set<HandleRecord>>()
  /** Paths of locks that are held, waited for, or under a delay. */
  readonly #inUse = new Set<string>()
  /** Those of them that are under a delay. */
  readonly #delayed = new Set<string>()
  /** Those of them that somebody waits for. */
  readonly #awaited = new Set<string>()
  /** Bytes of all files. */
  contentBytes = 0
  /** Of all sessions. */
  handleCount = 0

  // ---- nodes --------------------------------------------------------------------------------------------------------------------------

  /** Puts a node in place of what stands there, or anew. */
  setNode(node: NodeRecord): void {
    const before = this.nodes.get(node.path)
    this.nodes.set(node.path, node)
    this.contentBytes += node.contents.length - (before?.contents.length ?? 0)
    const { delayUntil, holders, waiters } = node.lock
    keep(this.#inUse, node.path, delayUntil > 0 || holders.length > 0 || waiters.length > 0)
    keep(this.#delayed, node.path, delayUntil > 0)
    keep(this.#awaited, node.path, delayUntil > 0 && waiters.length > 0)
    if (before !== undefined || node.path === root) return
    const parent = parentOf(node.path)
    const names = this.#children.get(parent)
    if (names === undefined) this.#children.set(parent, new Names(nameOf(node.path)))
    else names.add(nameOf(node.path))
  }

  removeNode(path: string): void {
    const node = this.nodes.get(path)
    assert(node !== undefined && path !== root, `there is no ${path} to remove`)
    this.nodes.delete(path)
    this.#inUse.delete(path)
    this.#delayed.delete(path)
    this.#awaited.delete(path)
    this.#handles.delete(path)
    this.contentBytes -= node.contents.length
    const parent = parentOf(path)
    const names = this.#children.get(parent)
    names?.delete(nameOf(path))
    if (names?.size === 0) this.#children.delete(parent)
  }

  /** How many there are in a directory. */
  childCount(path: string): number {
    return this.#children.get(path)?.size ?? 0
  }

  /** Names in a directory, in byte order. */
  childrenOf(path: string): readonly string[] {
    return this.#children.get(path)?.inOrder ?? []
  }

  /** Of the node that is there now. */
  handlesOn(path: string): ReadonlySet<HandleRecord> {
    return this.#handles.get(path) ?? noHandles
  }

  /** Whose lock is held, waited for, or under a delay, as far as that was looked at since. */
  get inUse(): NodeRecord[] {
    return this.#nodesAt(this.#inUse)
  }

  /** Locks that nobody gets yet, as far as that was not looked at since. */
  get delayed(): NodeRecord[] {
    return this.#nodesAt(this.#delayed)
  }

  /** Those that somebody waits for. */
  get awaited(): NodeRecord[] {
    return this.#nodesAt(this.#awaited)
  }

  #nodesAt(paths: Iterable<string>): NodeRecord[] {
    return [...paths].map((path) => this.nodes.get(path)).filter((node) => node !== undefined)
  }

  // ---- sessions and handles -----------------------------------------------------------------------------------------------------------

  handle({ session, handle }: HandleKey): HandleRecord | undefined {
    return this.sessions.get(session)?.handles.get(handle)
  }

  /** The node that a handle stands for; undefined once that is gone, even if there is another of its name. */
  nodeOf({ path, instance }: HandleRecord): NodeRecord | undefined {
    const node = this.nodes.get(path)
    return node?.instance === instance ? node : undefined
  }

  setHandle(record: HandleRecord): void {
    const entry = this.sessions.get(record.session)
    assert(entry !== undefined, 'a handle belongs to a session')
    const before = entry.handles.get(record.handle)
    entry.handles.set(record.handle, record)
    if (before === undefined) this.handleCount += 1
    if (this.nodeOf(record) === undefined) return
    const handles = this.#handles.get(record.path)
    if (handles === undefined) this.#handles.set(record.path, new Set([record]))
    else {
      if (before !== undefined) handles.delete(before)
      handles.add(record)
    }
  }

  removeHandle(record: HandleRecord): void {
    if (this.sessions.get(record.session)?.handles.delete(record.handle) === true) this.handleCount -= 1
    const handles = this.#handles.get(record.path)
    handles?.delete(record)
    if (handles?.size === 0) this.#handles.delete(record.path)
  }
}

const noHandles: ReadonlySet<HandleRecord> = new Set()

const keep = (paths: Set<string>, path: string, is: boolean): void => {
  if (is) paths.add(path)
  else paths.delete(path)
}
