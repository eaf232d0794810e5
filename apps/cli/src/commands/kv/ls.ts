import { Args, Flags } from '@oclif/core'
import { ConclaveCommand } from '../../base-command.ts'
import { levelOf, openClient, readFlags } from '../../client.ts'
import { entryJson } from '../../entry-json.ts'
import { printLine } from '../../print-line.ts'

export class KvLs extends ConclaveCommand {
  static override summary = 'List keys in byte order, by prefix or interval.'
  static override description =
    'Prints one key a line, or with --json one entry a line (NDJSON, which `kv import` takes back).'
  static override examples = [
    '<%= config.bin %> <%= command.id %> users/',
    '<%= config.bin %> <%= command.id %> --from a --to b --limit 10 --json',
  ]
  static override args = { prefix: Args.string({ ignoreStdin: true, description: 'only keys that begin with this' }) }
  static override flags = {
    ...readFlags,
    from: Flags.string({ description: 'the first key (inclusive)', helpValue: 'KEY' }),
    to: Flags.string({ description: 'the last key (exclusive)', helpValue: 'KEY' }),
    limit: Flags.integer({ description: 'at most so many', min: 1, helpValue: 'N' }),
    values: Flags.boolean({ description: 'print values after a tab' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(KvLs)
    if (args.prefix !== undefined && (flags.from !== undefined || flags.to !== undefined)) {
      this.error('give a prefix, or --from and --to, not both', { exit: 2 })
    }
    const keysOnly = !flags.values && !this.jsonEnabled()
    const range =
      args.prefix === undefined
        ? {
            ...(flags.from === undefined ? {} : { from: flags.from }),
            ...(flags.to === undefined ? {} : { to: flags.to }),
          }
        : { prefix: args.prefix }
    await using client = await openClient(flags)
    let left = flags.limit ?? Number.POSITIVE_INFINITY
    const page = Number.isFinite(left) ? { limit: Math.min(left, 65_536) } : {}
    for await (const entry of client.kv.entries({ ...range, ...page, keysOnly, level: levelOf(flags) })) {
      if (left <= 0) break
      left -= 1
      if (!(await printLine(this.line(entry, flags.values)))) break
    }
  }

  private line(entry: Parameters<typeof entryJson>[0], values: boolean): string {
    if (this.jsonEnabled()) return JSON.stringify(entryJson(entry))
    return values ? `${entry.key}\t${Buffer.from(entry.value).toString()}` : entry.key
  }
}
