import { Args, Flags } from '@oclif/core'
import { ConclaveCommand, color } from '../../base-command.ts'
import { clientFlags, openClient, parseRevision } from '../../client.ts'
import { eventJson } from '../../entry-json.ts'
import { printLine } from '../../print-line.ts'
import { endSignal } from '../../signals.ts'

export class KvWatch extends ConclaveCommand {
  static override summary = 'Print every change of a key or prefix, in order and without gaps, until Ctrl-C.'
  static override description = 'With --json one event a line. Goes on by itself across a change of leader.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> greeting',
    '<%= config.bin %> <%= command.id %> users/ --prefix --from-revision 1 --json',
  ]
  static override args = {
    key: Args.string({ ignoreStdin: true, description: 'a key, or a prefix with --prefix; everything if absent' }),
  }
  static override flags = {
    ...clientFlags,
    prefix: Flags.boolean({ description: 'every key that begins with it' }),
    'from-revision': Flags.string({
      description: 'begin with what was written at this revision',
      helpValue: 'REVISION',
    }),
    count: Flags.integer({ description: 'end after so many events', min: 1, helpValue: 'N' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(KvWatch)
    const from = flags['from-revision']
    const stop = new AbortController()
    void endSignal().then(() => stop.abort())
    await using client = await openClient(flags)
    const range = args.key === undefined ? {} : flags.prefix ? { prefix: args.key } : { key: args.key }
    const fromRevision = from === undefined ? {} : { fromRevision: parseRevision(from) }
    let left = flags.count ?? Number.POSITIVE_INFINITY
    try {
      for await (const event of client.kv.watch({ ...range, ...fromRevision, signal: stop.signal })) {
        const value = event.type === 'put' ? ` ${Buffer.from(event.value).toString()}` : ''
        const type = event.type === 'put' ? color('32', 'put') : color('33', 'delete')
        const line = this.jsonEnabled()
          ? JSON.stringify(eventJson(event))
          : `${event.revision} ${type} ${event.key}${value}`
        left -= 1
        if (!(await printLine(line)) || left <= 0) break
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error
    }
  }
}
