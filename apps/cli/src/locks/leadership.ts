import type { Handle, Lock, Session } from '@conclave/client'
import { allLocks } from './list-pages.ts'
import { sessionIdText } from './session-id.ts'

/**
 * Tells everybody who leads: by what is in the file of the lock (section 2.4 of the Chubby paper). The sequencer sees to it that nobody writes there who does not lead any more.
 * @returns what withdraws it.
 */
export const announce = async (session: Session, lock: Lock, value: string): Promise<() => Promise<void>> => {
  const handle: Handle = await session.open(lock.path, { access: { read: false } })
  await handle.setSequencer(lock.sequencer)
  await handle.write(value)
  return async () => {
    await handle.write('')
  }
}

/** Who leads: what it announces, the fencing token of its lock, and whose session it is. Undefined: nobody. */
export interface Leader {
  readonly value: string
  readonly token: string
  readonly session: string
  readonly client: string
}

const look = async (session: Session, path: string): Promise<Leader | undefined> => {
  const file = await session.read(path, { level: 'linearizable' })
  const [lock] = await allLocks(session, path)
  const [holder] = lock?.holders ?? []
  if (file === undefined || file.contents.length === 0 || lock === undefined || holder === undefined) return undefined
  return {
    value: file.text,
    token: String(lock.token),
    session: sessionIdText(holder.session),
    client: holder.principal,
  }
}

/** Who leads now, and then whenever that changes, until `handle` is closed: a handle on the file of the lock with its `contents` events. */
export async function* leaders(session: Session, handle: Handle): AsyncGenerator<Leader | undefined, void> {
  let last = await look(session, handle.path)
  yield last
  for await (const event of handle.events()) {
    if (event.type === 'deleted') return
    const now = await look(session, handle.path)
    if (now?.token === last?.token && now?.value === last?.value) continue
    last = now
    yield now
  }
}
