import type { ApplyContext, Capture, Feed, StateMachine } from '@conclave/interface'
import { decodeCommand, encodeDone, encodeMismatch, encodeRefusal } from './commands.ts'
import { KvFeed } from './feed.ts'
import type { History, HistoryLimits } from './history.ts'
import { toByteString } from './keys.ts'
import {
  decodeQuery,
  encodeCountReply,
  encodeGetReply,
  encodeInfoReply,
  encodeListReply,
  type KvQuery,
} from './queries.ts'
import { type FrozenState, writeSnapshot } from './snapshot.ts'
import { Store } from './store.ts'
import { decodeWatch } from './watches.ts'

export interface KvMachineInit {
  /**
   * How much of the past is kept for watches; must be the same on every replica. A restored snapshot brings its own.
   * Default: 262,144 events, 32 MiB.
   */
  readonly history?: HistoryLimits
}

class KvMachine implements StateMachine {
  readonly name = 'kv'
  #store: Store

  constructor(limits: HistoryLimits) {
    this.#store = new Store(limits)
  }

  // What feeds look at, through a restore.
  get revision(): number {
    return this.#store.revision
  }
  get history(): History {
    return this.#store.history
  }

  apply(bytes: Uint8Array, _context: ApplyContext): Uint8Array {
    const command = decodeCommand(bytes)
    if (typeof command === 'string') return encodeRefusal(command)
    const { operation, key, value, condition } = command
    if (condition >= 0) {
      const current = this.#store.get(key)?.modified ?? 0
      if (current !== condition) return encodeMismatch(current)
    }
    const previous = operation === 'put' ? this.#store.put(key, value) : this.#store.delete(key)
    return encodeDone(this.#store.revision, previous)
  }

  query(bytes: Uint8Array): Uint8Array {
    let query: KvQuery
    try {
      query = decodeQuery(bytes)
    } catch {
      return encodeRefusal('malformed')
    }
    return this.#answer(query)
  }

  #answer(query: KvQuery): Uint8Array {
    const { entries, revision, history } = this.#store
    switch (query.type) {
      case 'get':
        return encodeGetReply(revision, entries.get(toByteString(query.key)))
      case 'list':
        return encodeListReply(
          revision,
          entries.entriesFrom(toByteString(query.from)),
          toByteString(query.to),
          query.limit,
          query.keysOnly,
        )
      case 'count':
        return encodeCountReply(revision, entries.count(toByteString(query.from), toByteString(query.to)))
      case 'info':
        return encodeInfoReply(revision, entries.size, history.forgotten + 1)
    }
  }

  watch(request: Uint8Array): Feed | undefined {
    try {
      return new KvFeed(this, decodeWatch(request))
    } catch {
      return undefined
    }
  }

  capture(): Capture {
    let frozen: FrozenState | undefined = this.#store.freeze()
    return {
      body: () => (frozen === undefined ? nothing() : writeSnapshot(frozen)),
      release: () => {
        frozen = undefined
      },
    }
  }

  async restore(body: AsyncIterable<Uint8Array>): Promise<void> {
    this.#store = await Store.restored(body)
  }

  hash(): string {
    return this.#store.hash()
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** A revisioned key-value store: the state machine `kv`. */
export const kvMachine = (init: KvMachineInit = {}): StateMachine =>
  new KvMachine(init.history ?? { events: 262_144, bytes: 32 * 1024 * 1024 })
