import { copyBytes, type LogTime, MalformedBytes, unreachable } from '@conclave/interface'
import { mayDo, mayHave } from './acls.ts'
import type { ChubbyCommand, LockMode, OpenCommand } from './commands.ts'
import { crc32c } from './crc32c.ts'
import type { EventLog } from './event-log.ts'
import { limits } from './limits.ts'
import { enqueue, grant, isDelayed, leave, standing } from './locks.ts'
import { ancestorsOf, nameOf, parentOf, root } from './paths.ts'
import type { CommandReply, LockAnswer, Problem } from './replies.ts'
import { decodeSequencer, type Sequencer } from './sequencer.ts'
import {
  type ChubbyState,
  freeLock,
  type HandleKey,
  type HandleRecord,
  type NodeRecord,
  noAcl,
  type SessionEntry,
  same,
} from './state.ts'

type Of<Type extends ChubbyCommand['type']> = Extract<ChubbyCommand, { type: Type }>

const refused = (problem: Problem, detail?: bigint): CommandReply => ({
  status: 'refused',
  problem,
  ...(detail !== undefined && { detail }),
})

const noContents = new Uint8Array(0)

/** Whether whoever shows this sequencer still holds that lock: the same node, the same generation, held as it says (section 2.4 of the paper). */
export const isValid = (state: ChubbyState, { path, instance, mode, lockGeneration, token }: Sequencer): boolean => {
  const node = state.nodes.get(path)
  if (node === undefined || node.instance !== instance) return false
  const { lock } = node
  return lock.mode === mode && lock.generation === lockGeneration && lock.token === token
}

/** What commands do to the state. Each is checked whole before it changes anything. */
export class Applying {
  readonly #state: ChubbyState
  readonly #events: EventLog

  constructor(state: ChubbyState, events: EventLog) {
    this.#state = state
    this.#events = events
  }

  apply(command: ChubbyCommand): CommandReply {
    switch (command.type) {
      case 'createSession':
        return this.#createSession(command)
      case 'expire':
      case 'lift':
        return this.#serviceCommand(command)
      case 'endSession': {
        const entry = this.#state.sessions.get(command.session)
        if (entry !== undefined) this.#end(entry, false)
        return this.#done()
      }
      default:
        return this.#inSession(command)
    }
  }

  #done(): CommandReply {
    return { status: 'done', token: this.#state.token }
  }

  // ---- sessions -----------------------------------------------------------------------------------------------------------------------

  #createSession({ session: id, principal, lease }: Of<'createSession'>): CommandReply {
    const { sessions } = this.#state
    const known = sessions.get(id)?.record
    if (known !== undefined)
      return known.principal === principal && known.lease === lease ? this.#done() : refused('session-exists')
    if (sessions.size >= limits.sessions) return refused('too-many')
    sessions.set(id, { record: { id, principal, lease }, handles: new Map() })
    return this.#done()
  }

  /** What the leader decided counts in its own reign only: another may have heard of the client since. */
  #serviceCommand(command: Of<'expire'> | Of<'lift'>): CommandReply {
    if (command.epoch !== this.#state.epoch) return refused('other-reign')
    if (command.type === 'lift') this.#lift()
    else {
      const entry = this.#state.sessions.get(command.session)
      if (entry === undefined) return refused('no-session')
      this.#end(entry, true)
    }
    return this.#done()
  }

  /** @param failed its lease is over: what it held is not passed on before its lock-delays are. */
  #end(entry: SessionEntry, failed: boolean): void {
    // First out of every line: what one of its handles gives back must not pass to another of them.
    for (const handle of entry.handles.values()) this.#leaveLine(handle)
    for (const handle of entry.handles.values()) this.#close(handle, failed)
    this.#state.sessions.delete(entry.record.id)
  }

  #lift(): void {
    const over = this.#state.delayed.filter(({ lock }) => !isDelayed(lock, this.#state.time))
    // Tokens follow this order. It must be one that a restored state has as well: instances are unique.
    over.sort((a, b) => a.lock.delayUntil - b.lock.delayUntil || (a.instance < b.instance ? -1 : 1))
    for (const node of over) this.#serve({ ...node, lock: { ...node.lock, delayUntil: 0 as LogTime } })
  }

  #inSession(
    command: Exclude<ChubbyCommand, { type: 'createSession' | 'endSession' | 'expire' | 'lift' }>,
  ): CommandReply {
    const entry = this.#state.sessions.get(command.session)
    if (entry === undefined) return refused('no-session')
    if (command.type === 'raiseToken') return this.#raiseToken(command)
    if (command.type === 'open') return this.#open(entry, command)
    const handle = entry.handles.get(command.handle)
    if (command.type === 'close') {
      if (handle !== undefined) this.#close(handle, false)
      return this.#done()
    }
    const node = handle === undefined ? undefined : this.#state.nodeOf(handle)
    if (handle === undefined || node === undefined) return refused('no-handle')
    if (command.type === 'release') return this.#release(handle, node)
    if (command.type === 'setSequencer') return this.#setSequencer(handle, command.sequencer)
    if (handle.sequencer !== undefined && !isValid(this.#state, handle.sequencer)) return refused('stale-sequencer')
    switch (command.type) {
      case 'acquire':
        return this.#acquire(handle, node, command)
      case 'write':
        return this.#write(handle, node, command)
      case 'setAcl':
        return this.#setAcl(handle, node, command)
      case 'delete':
        return this.#delete(entry, handle, node)
      default:
        return unreachable(command)
    }
  }

  #raiseToken({ above }: Of<'raiseToken'>): CommandReply {
    if (above > limits.token) return refused('too-many')
    if (above > this.#state.token) this.#state.token = above
    return this.#done()
  }

  // ---- handles ------------------------------------------------------------------------------------------------------------------------

  #open(entry: SessionEntry, command: OpenCommand): CommandReply {
    const { handle: number, path, lock, access } = command
    const known = entry.handles.get(number)
    if (known !== undefined) return this.#openedBefore(known, path)
    if (entry.handles.size >= limits.handlesPerSession || this.#state.handleCount >= limits.handles)
      return refused('too-many')
    if (lock !== undefined && !access.write) return refused('denied')
    const found = this.#state.nodes.get(path)
    const problem = found === undefined ? this.#mayCreate(entry, command) : this.#mayOpen(entry, command, found)
    if (problem !== undefined) return refused(problem)
    const node = found ?? this.#create(command)
    const handle: HandleRecord = {
      session: entry.record.id,
      handle: number,
      path: node.path,
      instance: node.instance,
      access,
      subscriptions: command.subscriptions,
      lockDelay: command.lockDelay,
    }
    this.#state.setHandle(handle)
    return {
      status: 'opened',
      created: found === undefined,
      instance: node.instance,
      contentGeneration: node.contentGeneration,
      ...(lock !== undefined && { lock: this.#ask(handle, node, lock.mode, lock.queue) }),
    }
  }

  #openedBefore(handle: HandleRecord, path: string): CommandReply {
    const node = this.#state.nodeOf(handle)
    if (node === undefined || handle.path !== path) return refused('no-handle')
    const lock = standing(node.lock, node.instance, handle)
    const { instance, contentGeneration } = node
    return { status: 'opened', created: false, instance, contentGeneration, ...(lock.state !== 'none' && { lock }) }
  }

  #mayOpen({ record }: SessionEntry, { create, access }: OpenCommand, node: NodeRecord): Problem | undefined {
    if (create === 'new') return 'exists'
    return mayHave(this.#state, node, record.principal, access) ? undefined : 'denied'
  }

  /** The nearest directory that is there says who may make something in it, and hands its lists on. */
  #mayCreate({ record }: SessionEntry, command: OpenCommand): Problem | undefined {
    const { create, path, parents, contents, access } = command
    if (create === 'no') return 'no-node'
    const missing = ancestorsOf(path).filter((ancestor) => !this.#state.nodes.has(ancestor))
    if (missing.length > 0 && !parents) return 'no-node'
    if (command.kind === 'directory' && contents.length > 0) return 'malformed'
    const { nodes, contentBytes } = this.#state
    const nearest = nodes.get(parentOf(missing[0] ?? path))
    if (nearest === undefined || nearest.kind === 'file') return 'not-a-directory'
    if (nodes.size + missing.length >= limits.nodes || contentBytes + contents.length > limits.cellBytes)
      return 'too-many'
    if (!mayDo(this.#state, nearest, record.principal, 'write')) return 'denied'
    return mayHave(this.#state, { ...nearest, path }, record.principal, access) ? undefined : 'denied'
  }

  #create({ path, kind, ephemeral, contents }: OpenCommand): NodeRecord {
    for (const ancestor of ancestorsOf(path))
      if (!this.#state.nodes.has(ancestor)) this.#make(ancestor, 'directory', false, noContents)
    return this.#make(path, kind, ephemeral, contents)
  }

  #make(path: string, kind: 'file' | 'directory', ephemeral: boolean, contents: Uint8Array): NodeRecord {
    const state = this.#state
    state.instance += 1n
    const node: NodeRecord = {
      path,
      kind,
      ephemeral,
      instance: state.instance,
      contentGeneration: kind === 'file' ? 1n : 0n,
      aclGeneration: 1n,
      acl: state.nodes.get(parentOf(path))?.acl ?? noAcl,
      contents: contents.length === 0 ? noContents : copyBytes(contents),
      checksum: kind === 'file' ? crc32c(contents) : 0,
      lock: freeLock,
    }
    state.setNode(node)
    this.#tellParent(path, 'added')
    return node
  }

  /** A handle that is closed gives back what it had; with the last one goes an ephemeral node. */
  #close(handle: HandleRecord, failed: boolean): void {
    const state = this.#state
    const node = state.nodeOf(handle)
    state.removeHandle(handle)
    if (node === undefined) return
    const delay = failed && handle.lockDelay > 0 ? ((state.time + handle.lockDelay) as LogTime) : (0 as LogTime)
    if (standing(node.lock, node.instance, handle).state !== 'none')
      this.#serve({ ...node, lock: leave(node.lock, handle, delay) })
    this.#dropUnused(node.path)
  }

  #leaveLine(handle: HandleRecord): void {
    const node = this.#state.nodeOf(handle)
    if (node === undefined || standing(node.lock, node.instance, handle).state !== 'queued') return
    this.#serve({ ...node, lock: leave(node.lock, handle, 0 as LogTime) })
  }

  /** An ephemeral node on which no handle is left, and in which there is nothing, goes; so may then the one that it was in. */
  #dropUnused(path: string): void {
    const state = this.#state
    const node = state.nodes.get(path)
    if (node === undefined || !node.ephemeral || state.handlesOn(path).size > 0 || state.childCount(path) > 0) return
    state.removeNode(path)
    this.#tellParent(path, 'removed')
    this.#dropUnused(parentOf(path))
  }

  // ---- locks --------------------------------------------------------------------------------------------------------------------------

  /** Puts the node in place, and lets who stands first in line have the lock if it is free. */
  #serve(node: NodeRecord, told?: HandleKey): NodeRecord {
    const state = this.#state
    const { lock, granted, isNew } = grant(node.lock, state.time, state.token + 1n)
    if (isNew) state.token += 1n
    const served = { ...node, lock }
    state.setNode(served)
    // Who asked just now reads it in the reply.
    for (const { session, handle, mode } of granted)
      if (told === undefined || !same(told, { session, handle })) {
        const has = { mode, token: lock.token, lockGeneration: lock.generation, instance: served.instance }
        this.#events.tell(session, { type: 'granted', handle, ...has })
      }
    if (granted.length > 0) this.#tellOthers(served, granted)
    return served
  }

  #ask(handle: HandleRecord, node: NodeRecord, mode: LockMode, queue: boolean): LockAnswer {
    const waiter = { session: handle.session, handle: handle.handle, mode }
    const delayed = isDelayed(node.lock, this.#state.time)
    const served = this.#serve({ ...node, lock: enqueue(node.lock, waiter) }, handle)
    const has = standing(served.lock, node.instance, handle)
    if (has.state === 'held') return has
    this.#tellHolders(served)
    if (has.state === 'queued' && queue) return has
    this.#state.setNode({ ...served, lock: leave(served.lock, handle, 0 as LogTime) })
    return { state: 'busy', delayed }
  }

  #acquire(handle: HandleRecord, node: NodeRecord, { mode, queue }: Of<'acquire'>): CommandReply {
    if (!handle.access.write) return refused('denied')
    const has = standing(node.lock, node.instance, handle)
    if (has.state === 'none') return { status: 'lock', lock: this.#ask(handle, node, mode, queue) }
    const waits = node.lock.waiters.find((waiter) => same(waiter, handle))
    if ((has.state === 'held' ? has.mode : waits?.mode) !== mode) return refused('lock-in-use')
    return { status: 'lock', lock: has }
  }

  #release(handle: HandleRecord, node: NodeRecord): CommandReply {
    const { state } = standing(node.lock, node.instance, handle)
    if (state !== 'none') this.#serve({ ...node, lock: leave(node.lock, handle, 0 as LogTime) })
    return { status: 'released', had: state === 'held' ? 'lock' : state === 'queued' ? 'place' : 'nothing' }
  }

  #setSequencer(handle: HandleRecord, bytes: Uint8Array): CommandReply {
    let sequencer: Sequencer
    try {
      sequencer = decodeSequencer(bytes)
    } catch (error) {
      if (error instanceof MalformedBytes) return refused('malformed')
      throw error
    }
    if (!isValid(this.#state, sequencer)) return refused('stale-sequencer')
    this.#state.setHandle({ ...handle, sequencer })
    return this.#done()
  }

  // ---- contents, lists and nodes ------------------------------------------------------------------------------------------------------

  #write(handle: HandleRecord, node: NodeRecord, { contents, ifGeneration }: Of<'write'>): CommandReply {
    if (!handle.access.write) return refused('denied')
    if (node.kind === 'directory') return refused('is-a-directory')
    const { contentGeneration } = node
    if (ifGeneration !== undefined && ifGeneration !== contentGeneration) return refused('mismatch', contentGeneration)
    const bytes = this.#state.contentBytes + contents.length - node.contents.length
    if (bytes > limits.cellBytes && contents.length > node.contents.length) return refused('too-many')
    const written = {
      ...node,
      contentGeneration: contentGeneration + 1n,
      contents: copyBytes(contents),
      checksum: crc32c(contents),
    }
    this.#state.setNode(written)
    for (const each of this.#state.handlesOn(node.path))
      if (each.subscriptions.includes('contents'))
        this.#events.tell(each.session, {
          type: 'contents',
          handle: each.handle,
          contentGeneration: written.contentGeneration,
        })
    this.#tellParent(node.path, 'modified')
    return { status: 'written', contentGeneration: written.contentGeneration }
  }

  #setAcl(handle: HandleRecord, node: NodeRecord, { acl, ifGeneration }: Of<'setAcl'>): CommandReply {
    // Of the root no list can be looked up: whoever named one would lock everybody out, for ever.
    if (!handle.access.changeAcl || node.path === root) return refused('denied')
    if (ifGeneration !== undefined && ifGeneration !== node.aclGeneration)
      return refused('mismatch', node.aclGeneration)
    const aclGeneration = node.aclGeneration + 1n
    this.#state.setNode({ ...node, acl, aclGeneration })
    return { status: 'aclSet', aclGeneration }
  }

  #delete({ record }: SessionEntry, handle: HandleRecord, node: NodeRecord): CommandReply {
    const state = this.#state
    const parent = node.path === root ? undefined : state.nodes.get(parentOf(node.path))
    if (!handle.access.write || parent === undefined || !mayDo(state, parent, record.principal, 'write'))
      return refused('denied')
    if (state.childCount(node.path) > 0) return refused('not-empty')
    // It would be taken away from under a holder that is told only later, from under its lock-delay, or from those in line.
    const { lock } = node
    const others = [...lock.holders, ...lock.waiters].filter((other) => !same(other, handle))
    if (isDelayed(lock, state.time) || others.length > 0) return refused('lock-in-use')
    for (const other of state.handlesOn(node.path))
      if (!same(other, handle)) this.#events.tell(other.session, { type: 'invalid', handle: other.handle })
    state.removeNode(node.path)
    this.#tellParent(node.path, 'removed')
    this.#dropUnused(parent.path)
    return { status: 'deleted' }
  }

  // ---- events -------------------------------------------------------------------------------------------------------------------------

  #tellParent(path: string, change: 'added' | 'removed' | 'modified'): void {
    for (const each of this.#state.handlesOn(parentOf(path)))
      if (each.subscriptions.includes('children'))
        this.#events.tell(each.session, { type: 'children', handle: each.handle, change, name: nameOf(path) })
  }

  /** Somebody holds the lock now. Who got it knows. */
  #tellOthers({ path }: NodeRecord, granted: readonly HandleKey[]): void {
    const known = new Set(granted.map((key) => this.#state.handle(key)))
    for (const each of this.#state.handlesOn(path))
      if (each.subscriptions.includes('acquired') && !known.has(each))
        this.#events.tell(each.session, { type: 'acquired', handle: each.handle })
  }

  /** Somebody asked in vain. */
  #tellHolders({ lock }: NodeRecord): void {
    for (const key of lock.holders)
      if (this.#state.handle(key)?.subscriptions.includes('conflicting') === true)
        this.#events.tell(key.session, { type: 'conflicting', handle: key.handle })
  }
}
