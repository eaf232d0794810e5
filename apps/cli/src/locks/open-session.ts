import type { Client, Session, SessionOptions } from '@conclave/client'
import { Flags } from '@oclif/core'
import { clientFlags, openClient } from '../client.ts'
import { CommandFailed, exitCodes } from '../exit.ts'

export const sessionFlags = {
  ...clientFlags,
  identity: Flags.string({
    description: 'file with the private key that says who this is, made if there is none (default: somebody new)',
    helpValue: 'FILE',
  }),
}

type Choice = Parameters<typeof openClient>[0]

/** A session of its own with the lock service of the cluster that the flags name. Its end is the end of the client. */
export interface OpenSession extends AsyncDisposable {
  readonly client: Client
  readonly session: Session
}

export const openSession = async (flags: Choice, options: SessionOptions = {}): Promise<OpenSession> => {
  const client = await openClient(flags, options.signal)
  try {
    const session = await client.session(options)
    return { client, session, [Symbol.asyncDispose]: () => client.close() }
  } catch (error) {
    await client.close()
    throw error
  }
}

/** Calls of a session wait for as long as it lives: a command does not. @throws CommandFailed (4) after `seconds`. */
const inTime = async <T>(seconds: number, call: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const tooLate = new CommandFailed(
      exitCodes.unavailable,
      'unavailable',
      `no answer within ${seconds} s: whether it happened is unknown`,
      'Look whether there is a leader: conclave status',
    )
    timer = setTimeout(() => reject(tooLate), seconds * 1000)
  })
  try {
    return await Promise.race([call, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Does one thing in a session of its own, within `--timeout`. */
export const withSession = async <T>(flags: Choice, use: (session: Session) => Promise<T>): Promise<T> => {
  await using open = await openSession(flags)
  return await inTime(flags.timeout, use(open.session))
}
