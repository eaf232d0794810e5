import { Flags } from '@oclif/core'
import { ConclaveCommand } from '../../base-command.ts'
import { sessionFlags } from '../../locks/open-session.ts'
import { registryFlag, serviceArg } from '../../services/service-flags.ts'

export class ServiceRegister extends ConclaveCommand {
  static override summary = 'Register an instance of a service, for as long as this runs, or a command behind --.'
  static override description =
    `The instance is on the lists of all who follow the service until this ends, and off them --ttl after it was killed. If the registration is lost, since the cluster was away for longer, it is made again; the command goes on. If somebody ends it by service deregister, it stays so: the command goes on, and without one this ends with exit code 76.

With --health it is failing until the check has passed --health-rise times in a row, and again when it has failed --health-fall times.

SIGINT, SIGTERM and SIGHUP end the registration first; --drain later the command gets the signal, and is waited for. A second one goes to it at once, one more kills it. Its exit code is passed on, 128 and the number of a signal if one ended it. It finds CONCLAVE_SERVICE_NAME, CONCLAVE_SERVICE_ID and CONCLAVE_SERVICE_ADDRESS in its environment. If conclave itself is killed, a guard beside it kills the command.

With --json an event a line: registered, waiting, jeopardy, lost, refused, passing, failing, removed, deregistered. With a command they go to standard error, since the output is the command's.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> web --address 192.168.1.10:8080 --tag v2 -- ./server --port 8080',
    '<%= config.bin %> <%= command.id %> web --address 192.168.1.10:8080 --health http://192.168.1.10:8080/health -- ./server',
    '<%= config.bin %> <%= command.id %> db --address 192.168.1.20:5432 --health tcp --health-interval 5s',
  ]
  static override usage = '<%= command.id %> NAME --address HOST:PORT [FLAGS] [-- COMMAND [ARGUMENT...]]'
  static override strict = false
  static override args = serviceArg
  static override flags = {
    ...sessionFlags,
    ...registryFlag,
    address: Flags.string({
      description: 'where it is served: HOST:PORT or [IPV6]:PORT',
      helpValue: 'ADDR',
      required: true,
    }),
    id: Flags.string({ description: 'its name among the instances (default: the address)', helpValue: 'ID' }),
    weight: Flags.string({ description: 'how much of the work it gets, beside others', default: '1', helpValue: 'N' }),
    tag: Flags.string({
      description: 'a word about it; several times: several',
      helpValue: 'TAG',
      multiple: true,
      multipleNonGreedy: true,
    }),
    zone: Flags.string({ description: 'where it stands, such as a data centre', helpValue: 'ZONE' }),
    health: Flags.string({
      description: 'tcp, which connects to the address, or an URL to be answered with 200 to 399',
      helpValue: 'CHECK',
    }),
    'health-interval': Flags.string({ description: 'from check to check', default: '2s', helpValue: '2s' }),
    'health-timeout': Flags.string({
      description: 'a check that takes longer has failed',
      default: '1s',
      helpValue: '1s',
    }),
    'health-rise': Flags.integer({
      description: 'passing after so many good checks',
      default: 2,
      min: 1,
      helpValue: 'N',
    }),
    'health-fall': Flags.integer({
      description: 'failing after so many bad checks',
      default: 3,
      min: 1,
      helpValue: 'N',
    }),
    ttl: Flags.string({
      description: 'off the lists when this is gone for so long: 500ms to 60s',
      default: '10s',
      helpValue: '10s',
    }),
    drain: Flags.string({
      description: 'from the end of the registration to the signal for the command',
      default: '1s',
      helpValue: '1s',
    }),
    replace: Flags.boolean({
      description: 'if another instance has the id, deregister it instead of waiting until it is gone',
    }),
    'exit-on-lost': Flags.boolean({
      description: 'if the registration is lost, or somebody ends it, send SIGTERM to the command and exit with 76',
    }),
  }

  async run(): Promise<void> {
    const { args, argv, flags } = await this.parse(ServiceRegister)
    const command = argv.slice(1).map(String)
    const { registerService } = await import('../../services/register.ts')
    this.exit(await registerService(flags, { service: args.name, command, json: this.jsonEnabled() }))
  }
}
