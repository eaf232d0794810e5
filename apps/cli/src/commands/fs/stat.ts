import { ConclaveCommand } from '../../base-command.ts'
import { CommandFailed, exitCodes } from '../../exit.ts'
import { nameArg, pathOf } from '../../locks/name.ts'
import { sessionFlags, withSession } from '../../locks/open-session.ts'
import { statJson, statLines } from '../../locks/stat-view.ts'

export class FsStat extends ConclaveCommand {
  static override summary = 'Print what there is to know of a file or directory; exit code 3 if there is none.'
  static override examples = ['<%= config.bin %> <%= command.id %> jobs/nightly']
  static override args = nameArg('the file or directory')
  static override flags = sessionFlags

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(FsStat)
    const stat = await withSession(flags, (session) => session.stat(pathOf(args.name)))
    if (stat === undefined) throw new CommandFailed(exitCodes.refused, 'no-node', `${args.name} does not exist`)
    for (const line of statLines(stat)) this.log(line)
    return statJson(stat)
  }
}
