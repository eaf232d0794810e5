import { Flags } from '@oclif/core'
import { ConclaveCommand } from '../base-command.ts'
import { CommandFailed, exitCodes } from '../exit.ts'

export class Init extends ConclaveCommand {
  static override summary = 'Make the identity of a node on this host, and print the line that names it to the others.'
  static override description =
    'To found a cluster: run it on every host, then paste all the lines into `conclave node start` on every host. To join one that is there: run it on the new host, then `conclave member add` with what stands behind --member. Again: prints the same line.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> --name a --listen /ip4/192.168.1.10/tcp/7400 --data /var/lib/conclave',
  ]
  static override flags = {
    name: Flags.string({ description: 'the node, unique in its cluster', required: true, helpValue: 'NAME' }),
    listen: Flags.string({
      description: 'the address at which the others reach it',
      required: true,
      helpValue: 'MULTIADDR',
    }),
    data: Flags.string({ description: 'its data directory', required: true, helpValue: 'DIR' }),
    cluster: Flags.string({ description: "the cluster's name", default: 'conclave', helpValue: 'NAME' }),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Init)
    const { name, listen, data, cluster } = flags
    const [, port] = /^\/(?:ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/([1-9]\d*)$/.exec(listen) ?? []
    if (port === undefined || Number(port) > 65_535) {
      throw new CommandFailed(
        exitCodes.usage,
        'invalid-listen',
        `--listen ${listen} is not an address that others can reach`,
        'Write a multiaddr with a port, such as /ip4/192.168.1.10/tcp/7400.',
      )
    }
    if (!/^[0-9a-zA-Z._-]{1,63}$/.test(name)) {
      throw new CommandFailed(
        exitCodes.usage,
        'invalid-name',
        `--name ${name}: use 1 to 63 characters of 0-9 a-z A-Z . _ -`,
      )
    }
    const { initNode } = await import('@conclave/node')
    const { id } = await initNode({ name, data, cluster })
    const member = `${name}=${listen}/p2p/${id}`
    this.log(`--member ${member}`)
    if (process.stdout.isTTY) {
      this.logToStderr(
        `\nTo found a cluster, paste this line, and those of the other hosts, into:\n  conclave node start --name ${name} --listen ${listen} --data ${data} --member …\nTo join one that is there, add it:\n  conclave member add ${member}`,
      )
    }
    return { name, id, address: `${listen}/p2p/${id}`, member, flag: `--member ${member}` }
  }
}
