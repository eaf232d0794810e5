import { MalformedBytes } from '@conclave/interface'
import { parseSequencer } from '@conclave/machine-chubby'
import { StaleToken } from './errors.ts'

/** Where a guarded resource keeps the highest token that it has seen: beside what it guards, and changed in the same transaction. */
export interface FenceStore {
  /**
   * Remembers `token` for `resource` unless a higher one is known, in one atomic step that lasts as long as the guarded data do.
   * @returns false if a higher one is known.
   */
  raise(resource: string, token: bigint): boolean | Promise<boolean>
}

/** What shows that its owner holds, or held, a lock: the lock itself, its sequencer, or a token with the name of the lock. */
export type Proof = { readonly sequencer: string } | string | { readonly resource: string; readonly token: bigint }

export interface Fence {
  /**
   * To be called before each guarded write, and in its transaction if the store has such. A lock is identified by its path.
   * @throws StaleToken if somebody held the lock since; MalformedBytes if the sequencer is none; LockLost if a lock was given that is lost.
   */
  check(proof: Proof): Promise<void>
}

const read = (proof: Proof): { readonly resource: string; readonly token: bigint } => {
  if (typeof proof !== 'string' && 'token' in proof && 'resource' in proof) return proof
  const { path, token } = parseSequencer(typeof proof === 'string' ? proof : proof.sequencer)
  return { resource: path, token }
}

/**
 * Guards a resource against whoever held its lock once, and does not know that it has passed on: a process that was paused, a message that was late. Only this makes a lock safe: no lock
 * service can stop a client that believes in its lock. It needs no connection to the cluster.
 */
export const createFence = (store: FenceStore): Fence => ({
  check: async (proof) => {
    const { resource, token } = read(proof)
    if (token < 1n) throw new MalformedBytes('a fencing token is at least 1')
    if (!(await store.raise(resource, token))) throw new StaleToken(resource, token)
  },
})

/** Tokens in memory: for a resource that lives in this process, and for tests. */
export const memoryFenceStore = (): FenceStore => {
  const highest = new Map<string, bigint>()
  return {
    raise: (resource, token) => {
      if ((highest.get(resource) ?? 0n) > token) return false
      highest.set(resource, token)
      return true
    },
  }
}
