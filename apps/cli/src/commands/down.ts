import { Flags } from '@oclif/core'
import { ConclaveCommand } from '../base-command.ts'
import { requireCluster } from '../local/cluster.ts'
import { purge, stopAll, stopSupervisor, withLock } from '../local/supervise.ts'
import { dataFlag } from '../target.ts'

export class Down extends ConclaveCommand {
  static override summary = 'Stop the local cluster: ask every node to close, then make sure.'
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --purge']
  static override flags = {
    ...dataFlag,
    purge: Flags.boolean({ description: 'then remove its data' }),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Down)
    const local = requireCluster(flags.data)
    const before = await stopSupervisor(local.directory)
    const { stopped, killed } = await withLock(local.directory, () => stopAll(local))
    if (before) this.log('ended the running `conclave up`')
    if (stopped.length > 0) this.log(`stopped ${stopped.join(', ')}`)
    else if (!before) this.log('no node was running')
    if (killed.length > 0) this.log(`had to kill ${killed.join(', ')}`)
    let purged = false
    if (flags.purge) {
      const gone = purge(local)
      purged = true
      this.log(
        gone ? `removed ${local.directory}` : `removed the cluster; ${local.directory} holds other files and stays`,
      )
    } else this.log(`the data is kept in ${local.directory}; start again with: conclave up`)
    return { stopped, killed, purged }
  }
}
