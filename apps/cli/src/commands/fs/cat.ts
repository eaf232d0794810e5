import { ConclaveCommand } from '../../base-command.ts'
import { valueJson } from '../../entry-json.ts'
import { CommandFailed, exitCodes } from '../../exit.ts'
import { nameArg, pathOf } from '../../locks/name.ts'
import { sessionFlags, withSession } from '../../locks/open-session.ts'

export class FsCat extends ConclaveCommand {
  static override summary = 'Print the bytes of a file, as they are; exit code 3 if there is none.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> service/config',
    '<%= config.bin %> <%= command.id %> service/config --json',
  ]
  static override args = nameArg('the file')
  static override flags = sessionFlags

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(FsCat)
    const file = await withSession(flags, (session) => session.read(pathOf(args.name), { level: 'linearizable' }))
    if (file === undefined) throw new CommandFailed(exitCodes.refused, 'no-node', `${args.name} does not exist`)
    if (!this.jsonEnabled()) process.stdout.write(file.contents)
    return {
      name: args.name,
      contentGeneration: String(file.contentGeneration),
      instance: String(file.instance),
      checksum: file.checksum,
      ...valueJson(file.contents),
    }
  }
}
