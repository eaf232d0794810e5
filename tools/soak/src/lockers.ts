/** Workers that hold locks through the public client, and write down what they believed and when. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client, Lock, Session } from '@conclave/client'
import type { Random } from '@conclave/interface'
import { type Hold, micros } from './history.ts'
import { fateOf } from './recorder.ts'

/** Few, so that they are fought over. */
const paths = ['/ls/local/soak/a', '/ls/local/soak/b', '/ls/local/soak/c'] as const

export interface LockerInit {
  readonly name: string
  readonly client: Client
  readonly random: Random
  readonly stopping: AbortSignal
  readonly write: (hold: Hold) => void
}

/** One worker's loop, over as many sessions as it takes. */
export const workWithLocks = async (init: LockerInit): Promise<void> => {
  const { client, stopping } = init
  while (!stopping.aborted) {
    try {
      await using session = await client.session({ ttl: '2s', grace: '10s', signal: stopping })
      await useSession(init, session)
    } catch (error) {
      if (stopping.aborted) return
      // Whatever has no code of the client's is a bug, and ends the process.
      fateOf(error)
      await pause(init, 200)
    }
  }
}

const pause = ({ stopping }: LockerInit, millis: number): Promise<void> =>
  sleep(millis, undefined, { signal: stopping }).catch(() => undefined)

const useSession = async (init: LockerInit, session: Session): Promise<void> => {
  const { random, stopping } = init
  while (!stopping.aborted && session.state !== 'expired') {
    const path = paths[Math.floor(random.next() * paths.length)] ?? paths[0]
    const lock = await session
      .lock(path, {
        mode: random.next() < 0.75 ? 'exclusive' : 'shared',
        wait: Math.floor(random.next() * 4000),
        lockDelay: random.next() < 0.3 ? 300 : 0,
        signal: stopping,
      })
      .catch(refused)
    if (lock !== undefined) await hold(init, lock)
    await pause(init, random.next() * 60)
  }
}

/** Not to be had now is no fault. */
const refused = (error: unknown): undefined => {
  if ((error as { readonly code?: unknown }).code !== 'lock-held') throw error
}

const hold = async (init: LockerInit, lock: Lock): Promise<void> => {
  const { name, random, write } = init
  const from = micros()
  if (lock.held) {
    const { path, mode, token } = lock
    let until = from
    for (const end = from + random.next() * 300_000; until < end && !init.stopping.aborted; ) {
      await pause(init, 1 + random.next() * 10)
      const now = micros()
      // Read before it is asked whether the lock is held: at that time it was.
      if (!lock.held) break
      until = now
    }
    write({ worker: name, path, mode, token: String(token), from, until, lost: !lock.held })
  }
  await lock.release()
}
