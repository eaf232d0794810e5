import { Args } from '@oclif/core'
import { ConclaveCommand } from '../../base-command.ts'
import { levelOf, openClient, readFlags } from '../../client.ts'
import { entryJson } from '../../entry-json.ts'
import { CommandFailed, exitCodes } from '../../exit.ts'

export class KvGet extends ConclaveCommand {
  static override summary = 'Print the value of a key; exit code 3 if there is none.'
  static override examples = ['<%= config.bin %> <%= command.id %> greeting']
  static override args = { key: Args.string({ ignoreStdin: true, description: 'the key', required: true }) }
  static override flags = readFlags

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(KvGet)
    await using client = await openClient(flags)
    const entry = await client.kv.get(args.key, { level: levelOf(flags) })
    if (entry === undefined) throw new CommandFailed(exitCodes.refused, 'not-found', `${args.key} does not exist`)
    if (!this.jsonEnabled()) process.stdout.write(Buffer.concat([entry.value, Buffer.from('\n')]))
    return entryJson(entry)
  }
}
