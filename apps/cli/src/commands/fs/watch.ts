import type { FileEvent } from '@conclave/client'
import { Flags } from '@oclif/core'
import { ConclaveCommand } from '../../base-command.ts'
import { nameArg, pathOf } from '../../locks/name.ts'
import { openSession, sessionFlags } from '../../locks/open-session.ts'
import { printLine } from '../../print-line.ts'
import { onEndSignals } from '../../signals.ts'

const textOf = (event: FileEvent): string => {
  switch (event.type) {
    case 'contents':
      return `contents ${event.contentGeneration}`
    case 'children':
      return `${event.change} ${event.name}`
    case 'acquired':
      return 'lock acquired'
    case 'conflicting':
      return 'lock wanted'
    case 'deleted':
      return 'deleted'
    case 'failedOver':
      return 'failed over: something may have been missed'
  }
}

const jsonOf = (event: FileEvent): Record<string, unknown> =>
  event.type === 'contents' ? { ...event, contentGeneration: String(event.contentGeneration) } : event

export class FsWatch extends ConclaveCommand {
  static override summary = 'Print what happens to a file, or in a directory, from now on, until Ctrl-C.'
  static override description =
    'An event says that something changed, not to what: read it again. With --json one event a line. Ends when what is watched is deleted.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> service/config',
    '<%= config.bin %> <%= command.id %> service/instances --json',
  ]
  static override args = nameArg('the file or directory')
  static override flags = {
    ...sessionFlags,
    count: Flags.integer({ description: 'end after so many events', min: 1, helpValue: 'N' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(FsWatch)
    await using open = await openSession(flags)
    await using handle = await open.session.open(pathOf(args.name), {
      access: { write: false },
      events: ['contents', 'children', 'acquired'],
    })
    // The events end with the handle.
    using _ = { [Symbol.dispose]: onEndSignals(() => void handle.close()) }
    let left = flags.count ?? Number.POSITIVE_INFINITY
    for await (const event of handle.events()) {
      left -= 1
      if (!(await printLine(this.jsonEnabled() ? JSON.stringify(jsonOf(event)) : textOf(event)))) break
      if (left <= 0 || event.type === 'deleted') break
    }
  }
}
