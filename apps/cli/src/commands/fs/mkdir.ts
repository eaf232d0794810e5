import { ConclaveCommand } from '../../base-command.ts'
import { nameArg, pathOf } from '../../locks/name.ts'
import { sessionFlags, withSession } from '../../locks/open-session.ts'

export class FsMkdir extends ConclaveCommand {
  static override summary = 'Make a directory, and those on the way; one that is there is left as it is.'
  static override examples = ['<%= config.bin %> <%= command.id %> service/instances']
  static override args = nameArg('the directory')
  static override flags = sessionFlags

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(FsMkdir)
    await withSession(flags, (session) => session.mkdir(pathOf(args.name)))
    return { name: args.name }
  }
}
