import { Flags } from '@oclif/core'
import { ConclaveCommand } from '../base-command.ts'
import { hold, holdFlags } from '../locks/hold.ts'
import { nameArg, pathOf } from '../locks/name.ts'

export class Lock extends ConclaveCommand {
  static override summary = 'Run a command while a lock is held.'
  static override description =
    `The command finds its lock in CONCLAVE_LOCK_NAME, CONCLAVE_LOCK_TOKEN (the fencing token: show it to what the lock guards) and CONCLAVE_LOCK_SEQUENCER. Its exit code is passed on, 128 and the number of a signal if one ended it.

If the lock is about to be lost, the command and all of its process group get SIGTERM, and SIGKILL before the lock can pass to another. Signals to conclave go to the command; a second one kills it. If conclave itself is killed or stopped, a guard beside it kills the command.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> jobs/nightly -- ./backup.sh --full',
    '<%= config.bin %> <%= command.id %> jobs/nightly --wait 0 --ttl 30s --kill-after 10s -- ./backup.sh',
  ]
  static override usage = '<%= command.id %> NAME [FLAGS] -- COMMAND [ARGUMENT...]'
  static override strict = false
  static override args = nameArg('the lock')
  static override flags = {
    ...holdFlags,
    shared: Flags.boolean({ description: 'hold it together with others that ask for it shared' }),
  }

  async run(): Promise<void> {
    const { args, argv, flags } = await this.parse(Lock)
    const command = argv.slice(1).map(String)
    if (command.length === 0) this.error('there is no command to run: write it behind --', { exit: 2 })
    const mode = flags.shared ? 'shared' : 'exclusive'
    this.exit(await hold(flags, { path: pathOf(args.name), mode, command }))
  }
}
