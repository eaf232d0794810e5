import { Args } from '@oclif/core'
import { ConclaveCommand } from '../../base-command.ts'
import { CommandFailed, exitCodes } from '../../exit.ts'
import { oneSession } from '../../locks/list-pages.ts'
import { sessionFlags, withSession } from '../../locks/open-session.ts'
import { parseSessionId } from '../../locks/session-id.ts'

export class SessionEnd extends ConclaveCommand {
  static override summary = 'End a session of your own: its locks pass on, and its ephemeral files go, at once.'
  static override description =
    'Only the client that began a session ends it: name its key by --identity. Whatever the locks guard is not stopped by that: stop it first. A session of somebody else ends when its client does, or when that is gone for as long as its ttl.'
  static override examples = ['<%= config.bin %> <%= command.id %> 5f0c6a1be2d09973 --identity client.key']
  static override args = {
    id: Args.string({ ignoreStdin: true, description: 'the session, as session list prints it', required: true }),
  }
  static override flags = sessionFlags

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(SessionEnd)
    const id = parseSessionId(args.id)
    await withSession(flags, async (own) => {
      const [{ session }, self] = await Promise.all([oneSession(own, id), oneSession(own, own.id)])
      if (session.principal !== self.session.principal)
        throw new CommandFailed(
          exitCodes.refused,
          'not-yours',
          `session ${args.id} was begun by ${session.principal}, and only that client may end it`,
          `Name its key by --identity, or stop that client: the session is over ${session.lease / 1000} s later.`,
        )
      await own.endOther(id)
    })
    this.log(`ended ${args.id}`)
    return { session: args.id }
  }
}
