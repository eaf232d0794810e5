import { ConclaveCommand } from '../base-command.ts'
import { proxyFlags } from '../proxy/flags.ts'

export class ProxyCommand extends ConclaveCommand {
  static override summary = 'Forward HTTP or TCP to the instances of a service.'
  static override description =
    `Each request, or each connection with --mode tcp, goes to the instance that --strategy chooses. Instances come and go with the registry (conclave service register); while the cluster is away the last list stands. What was not sent to an instance that failed is sent to another, and so are idempotent requests without a response.

SIGINT, SIGTERM and SIGHUP end it: nothing new is taken, and what is under way has --drain. A second one cuts it off.

On a terminal it prints lines for people; elsewhere, and with --json, a JSON object a line: listening, joined, left, down, up, trouble, stale, current, access, draining, closed.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --service web --listen :8080',
    '<%= config.bin %> <%= command.id %> --service web --listen :8080 --sticky cookie --health /health --metrics 127.0.0.1:9100',
    '<%= config.bin %> <%= command.id %> --service web --listen :8080 --sticky header:X-User --strategy maglev',
    '<%= config.bin %> <%= command.id %> --service db --listen 127.0.0.1:5432 --mode tcp --health tcp',
    '<%= config.bin %> <%= command.id %> --instances 10.0.0.7:8080,10.0.0.8:8080 --listen :8080',
  ]
  static override flags = proxyFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(ProxyCommand)
    const { runProxy } = await import('../proxy/run.ts')
    await runProxy(flags, this.jsonEnabled())
  }
}
