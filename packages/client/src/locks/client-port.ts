import { copyBytes, type NodeId, type Random } from '@conclave/interface'
import type { Asks } from '../asks.ts'
import type { ClientClock } from '../time.ts'
import type { Writes } from '../writes.ts'
import type { LockPort } from './port.ts'

/** The number of the lock service among a node's machines. */
export const chubbyMachineNumber = 2

export interface ClientPortInit {
  readonly asks: Asks
  readonly writes: Writes
  readonly clock: ClientClock
  readonly random: Random
  readonly cluster: string
  readonly principal: NodeId
}

/** What a connected client gives to its sessions. Nothing has a time-out here: it is the session that ends. */
export const clientPort = ({ asks, writes, clock, random, cluster, principal }: ClientPortInit): LockPort => ({
  clock,
  random,
  cluster,
  principal,
  ask: (request, target, done, failed) =>
    asks.call({
      machine: chubbyMachineNumber,
      request,
      target,
      deadline: Number.POSITIVE_INFINITY,
      complete: (reply, sentAt) => done(copyBytes(reply), sentAt),
      reject: failed,
    }),
  command: (bytes, signal) =>
    new Promise((resolve, reject) => {
      const complete = (reply: Uint8Array): void => resolve(copyBytes(reply))
      const failed = (error: unknown): void => reject(signal.aborted ? signal.reason : error)
      if (signal.aborted) return failed(undefined)
      writes.call(chubbyMachineNumber, bytes, { signal }, Number.POSITIVE_INFINITY, complete, failed)
    }),
})
