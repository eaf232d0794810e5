import type { Session } from '@conclave/client'
import type { InvalidInstance, ServiceInstance } from '@conclave/client/recipes'
import { Args } from '@oclif/core'
import { ConclaveCommand, color } from '../../base-command.ts'
import { pathOf } from '../../locks/name.ts'
import { sessionFlags, withSession } from '../../locks/open-session.ts'
import { instanceLines, invalidText } from '../../services/instance-view.ts'
import { type Filter, filterFlags, isWanted, registryFlag } from '../../services/service-flags.ts'
import { renderColumns } from '../../view.ts'

interface Found {
  readonly service: string
  readonly instances: readonly ServiceInstance[]
}

export class ServiceList extends ConclaveCommand {
  static override summary = 'List the instances of a service, or all services with how many they have.'
  static override description =
    'The registry is read at the leader, so what is shown is not old. What somebody wrote there by hand and that cannot be used is left out, with a warning.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> web --passing --tag v2',
    '<%= config.bin %> <%= command.id %> web --json',
  ]
  static override args = {
    name: Args.string({ ignoreStdin: true, description: 'the name of the service; all services if absent' }),
  }
  static override flags = { ...sessionFlags, ...registryFlag, ...filterFlags }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ServiceList)
    const invalid: InvalidInstance[] = []
    const { name } = args
    const found = await withSession(flags, (session) => read(session, pathOf(flags.registry), name, flags, invalid))
    for (const each of invalid) if (!this.jsonEnabled()) process.stderr.write(`${invalidText(each)}\n`)
    const [only] = found
    if (name !== undefined && only !== undefined) {
      for (const line of instanceLines(only.instances)) this.log(line)
      return { ...only, invalid }
    }
    const services = found.map(({ service, instances }) => ({
      service,
      instances: instances.length,
      passing: instances.filter(({ health }) => health === 'passing').length,
    }))
    const rows = services.map(({ service, instances, passing }) => ({
      cells: [service, String(instances), String(passing)],
      ...(passing < instances ? { style: 'trouble' as const } : {}),
    }))
    const titles = ['service', 'instances', 'passing']
    for (const line of renderColumns(titles, new Set(titles.slice(1)), rows, color)) this.log(line)
    return { services, invalid }
  }
}

const read = async (
  session: Session,
  path: string,
  name: string | undefined,
  filter: Filter,
  invalid: InvalidInstance[],
): Promise<readonly Found[]> => {
  const { ServiceRegistry } = await import('@conclave/client/recipes')
  const registry = new ServiceRegistry(session, path)
  const names = name === undefined ? (await registry.services()).map(({ service }) => service) : [name]
  const found: Found[] = []
  for (const service of names) {
    const instances = await registry.list(service, { onInvalid: (each) => invalid.push(each) })
    found.push({ service, instances: instances.filter((instance) => isWanted(instance, filter)) })
  }
  return found
}
