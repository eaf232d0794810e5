import { Args, Flags } from '@oclif/core'
import { ConclaveCommand } from '../../base-command.ts'
import { clientFlags, openClient, parseRevision } from '../../client.ts'
import { CommandFailed, exitCodes } from '../../exit.ts'

export class KvPut extends ConclaveCommand {
  static override summary = 'Set a key; done when a majority has it on disk.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> greeting hello',
    '<%= config.bin %> <%= command.id %> greeting hi --if-revision 1',
  ]
  static override args = {
    key: Args.string({ ignoreStdin: true, description: 'the key', required: true }),
    value: Args.string({ ignoreStdin: true, description: 'its value', required: true }),
  }
  static override flags = {
    ...clientFlags,
    'if-revision': Flags.string({
      description: 'only if the key was last written at this revision; 0: only if it does not exist',
      helpValue: 'REVISION',
    }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(KvPut)
    const expected = flags['if-revision']
    const ifRevision = expected === undefined ? undefined : parseRevision(expected)
    await using client = await openClient(flags)
    const result = await client.kv.put(args.key, args.value, { ifRevision })
    if (!result.done) {
      const now = result.revision === 0n ? 'it does not exist' : `it was written at revision ${result.revision}`
      throw new CommandFailed(exitCodes.refused, 'revision-mismatch', `${args.key} was not set: ${now}`)
    }
    this.log(`revision ${result.revision}`)
    return { key: args.key, revision: String(result.revision), previous: String(result.previous) }
  }
}
