import { Args, Flags } from '@oclif/core'
import { ConclaveCommand } from '../../base-command.ts'
import { clientFlags, openClient, parseRevision } from '../../client.ts'
import { CommandFailed, exitCodes } from '../../exit.ts'

export class KvDel extends ConclaveCommand {
  static override summary = 'Remove a key; exit code 3 if there is none.'
  static override examples = ['<%= config.bin %> <%= command.id %> greeting']
  static override args = { key: Args.string({ ignoreStdin: true, description: 'the key', required: true }) }
  static override flags = {
    ...clientFlags,
    'if-revision': Flags.string({
      description: 'only if the key was last written at this revision',
      helpValue: 'REVISION',
    }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(KvDel)
    const expected = flags['if-revision']
    const ifRevision = expected === undefined ? undefined : parseRevision(expected)
    await using client = await openClient(flags)
    const result = await client.kv.delete(args.key, { ifRevision })
    if (!result.done && result.revision > 0n) {
      throw new CommandFailed(
        exitCodes.refused,
        'revision-mismatch',
        `${args.key} was not removed: it was written at revision ${result.revision}`,
      )
    }
    if (!result.done || result.previous === 0n) {
      throw new CommandFailed(exitCodes.refused, 'not-found', `${args.key} does not exist`)
    }
    this.log(`revision ${result.revision}`)
    return { key: args.key, revision: String(result.revision), previous: String(result.previous) }
  }
}
