import { CommandFailed, exitCodes } from '../exit.ts'

/** A session's id as people see it: 16 hexadecimal digits. */
export const sessionIdText = (id: bigint): string => id.toString(16).padStart(16, '0')

/** @throws CommandFailed (2) */
export const parseSessionId = (text: string): bigint => {
  if (/^[0-9a-f]{16}$/i.test(text)) return BigInt(`0x${text}`)
  throw new CommandFailed(
    exitCodes.usage,
    'invalid-session',
    `"${text}" is no session id`,
    'It has 16 hexadecimal digits; conclave session list prints those that there are.',
  )
}
