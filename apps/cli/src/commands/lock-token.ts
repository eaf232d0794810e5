import { Flags } from '@oclif/core'
import { ConclaveCommand } from '../base-command.ts'
import { sessionFlags, withSession } from '../locks/open-session.ts'

const tokenOf = async (text: string): Promise<bigint> => {
  const token = /^\d{1,19}$/.test(text) ? BigInt(text) : -1n
  if (token < 0n || token > 2n ** 63n) throw new Error(`a fencing token is a whole number up to 2^63, got ${text}`)
  return token
}

export class LockToken extends ConclaveCommand {
  static override summary = 'Show the highest fencing token so far, or let all later ones be above a number.'
  static override description =
    'Tokens never fall by themselves. But a cluster that was made anew begins at 1, and whatever has seen the tokens of the one before refuses those: raise them above the highest that was seen, once, before locks are used.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --raise-above 48210',
  ]
  static override flags = {
    ...sessionFlags,
    'raise-above': Flags.custom<bigint>({
      description: 'let every later token be above this one',
      helpValue: 'TOKEN',
      parse: tokenOf,
    })(),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(LockToken)
    const above = flags['raise-above']
    const token = await withSession(flags, async (session) => {
      if (above !== undefined) return session.raiseToken(above)
      const info = await session.query({ type: 'info' })
      return info.status === 'info' ? info.token : 0n
    })
    this.log(String(token))
    return { token: String(token) }
  }
}
