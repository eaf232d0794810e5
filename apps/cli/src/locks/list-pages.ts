import type { Session } from '@conclave/client'
import { CommandFailed, exitCodes } from '../exit.ts'

type Query = Parameters<Session['query']>[0]
type Answer<Status> = Extract<Awaited<ReturnType<Session['query']>>, { status: Status }>

export type SessionInfo = Answer<'sessions'>['sessions'][number]
export type SessionView = Answer<'session'>
export type HandleInfo = SessionView['handles'][number]
export type LockInfo = Answer<'locks'>['locks'][number]

const page = 1000

/** @throws CommandFailed (3) if it is refused, or answered by something else. */
const ask = async <Status extends string>(session: Session, query: Query, status: Status): Promise<Answer<Status>> => {
  const reply = await session.query(query)
  if (reply.status === status) return reply as Answer<Status>
  throw new CommandFailed(
    exitCodes.refused,
    reply.status === 'refused' ? reply.problem : 'malformed',
    reply.status === 'refused' && reply.problem === 'no-session'
      ? 'there is no such session: it was ended, or has expired'
      : `the lock service answered: ${reply.status === 'refused' ? reply.problem : reply.status}`,
  )
}

/** Every session but the one that asks, by id. Read in pages, each at its own time. */
export const allSessions = async (session: Session): Promise<readonly SessionInfo[]> => {
  const all: SessionInfo[] = []
  for (let after = 0n; ; ) {
    const { sessions, more } = await ask(session, { type: 'sessions', after, limit: page }, 'sessions')
    all.push(...sessions)
    const last = sessions.at(-1)
    if (!more || last === undefined) return all.filter((info) => info.session !== session.id)
    after = last.session
  }
}

/** One session, with all its handles. @throws CommandFailed (3) if there is none. */
export const oneSession = async (session: Session, id: bigint): Promise<SessionView> => {
  const handles: HandleInfo[] = []
  for (let after = 0; ; ) {
    const reply = await ask(session, { type: 'session', session: id, after }, 'session')
    handles.push(...reply.handles)
    const last = reply.handles.at(-1)
    if (!reply.more || last === undefined) return { ...reply, handles, more: false }
    after = last.handle
  }
}

/** The locks at and below a path that are held, waited for or under a delay, in byte order. */
export const allLocks = async (session: Session, prefix: string): Promise<readonly LockInfo[]> => {
  const all: LockInfo[] = []
  for (let after = ''; ; ) {
    const { locks, more } = await ask(session, { type: 'locks', prefix, after, limit: page }, 'locks')
    all.push(...locks)
    const last = locks.at(-1)
    if (!more || last === undefined) return all
    after = last.path
  }
}
