import { setTimeout as sleep } from 'node:timers/promises'
import type { Lock, Session } from '@conclave/client'
import { Flags } from '@oclif/core'
import { ConclaveCommand, color } from '../base-command.ts'
import { hold, holdFlags } from '../locks/hold.ts'
import { announce, type Leader, leaders } from '../locks/leadership.ts'
import { nameArg, pathOf } from '../locks/name.ts'
import { openSession } from '../locks/open-session.ts'
import { printLine } from '../print-line.ts'
import { onEndSignals } from '../signals.ts'

/** The cluster is given so long to take back the announcement; it may be away, and the lock goes with the session anyway. */
const withdrawMillis = 2000

export class Elect extends ConclaveCommand {
  static override summary =
    'Campaign for leadership, and lead until a signal comes or a command ends; or see who leads.'
  static override description =
    `Whoever holds the lock NAME leads, and says who it is in the file of that name. With a command behind --, that runs while this client leads, as under conclave lock. Exit code 76 if leadership was lost: campaign again.

With --json an event a line: elected, resigned; with --observe: leader, none. With a command they go to standard error, since the output is the command's.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> scheduler --value host-a:8080',
    '<%= config.bin %> <%= command.id %> scheduler --value host-a -- ./scheduler',
    '<%= config.bin %> <%= command.id %> scheduler --observe --json',
  ]
  static override usage = '<%= command.id %> NAME (--value TEXT [FLAGS] [-- COMMAND [ARGUMENT...]] | --observe)'
  static override strict = false
  static override args = nameArg('the lock')
  static override flags = {
    ...holdFlags,
    value: Flags.string({ description: 'what to announce as leader, such as an address', helpValue: 'TEXT' }),
    observe: Flags.boolean({ description: 'only print who leads, whenever that changes', exclusive: ['value'] }),
  }

  async run(): Promise<void> {
    const { args, argv, flags } = await this.parse(Elect)
    const path = pathOf(args.name)
    const command = argv.slice(1).map(String)
    if (flags.observe) return this.observe(path, flags)
    const { value } = flags
    if (value === undefined || value === '') this.error('give a --value that says who leads, or --observe', { exit: 2 })
    let withdraw: () => Promise<void> = async () => {}
    const stream = command.length === 0 ? process.stdout : process.stderr
    const held = async (lock: Lock, session: Session): Promise<void> => {
      withdraw = await announce(session, lock, value)
      const { path: name, token, sequencer } = lock
      const event = { event: 'elected', name, value, token: String(token), sequencer }
      const text = `${color('32', 'leads', stream)} ${name} as ${value}, token ${token}`
      await printLine(this.jsonEnabled() ? JSON.stringify(event) : text, stream)
    }
    const leaving = async (): Promise<void> => {
      await Promise.race([withdraw(), sleep(withdrawMillis, undefined, { ref: false })])
      const event = { event: 'resigned', name: path }
      await printLine(this.jsonEnabled() ? JSON.stringify(event) : `resigned from ${path}`, stream)
    }
    this.exit(await hold(flags, { path, mode: 'exclusive', command, held, leaving }))
  }

  private async observe(path: string, flags: Parameters<typeof openSession>[0]): Promise<void> {
    await using open = await openSession(flags)
    await using handle = await open.session.open(path, {
      access: { write: false },
      create: 'missing',
      parents: true,
      // Who has just got the lock says what it is a moment later: until then the words there are those of the one before.
      events: ['contents'],
    })
    // The events end with the handle.
    using _ = { [Symbol.dispose]: onEndSignals(() => void handle.close()) }
    for await (const leader of leaders(open.session, handle))
      if (!(await printLine(this.jsonEnabled() ? JSON.stringify(leaderJson(leader)) : leaderText(leader)))) break
  }
}

const leaderJson = (leader: Leader | undefined) =>
  leader === undefined ? { event: 'none' } : { event: 'leader', ...leader }

const leaderText = (leader: Leader | undefined): string =>
  leader === undefined ? 'nobody leads' : `${leader.value} leads, token ${leader.token}`
