import type { ServiceRegistry } from '@conclave/client/recipes'
import { Args } from '@oclif/core'
import { ConclaveCommand } from '../../base-command.ts'
import { CommandFailed, exitCodes } from '../../exit.ts'
import { pathOf } from '../../locks/name.ts'
import { sessionFlags, withSession } from '../../locks/open-session.ts'
import { registryFlag, serviceArg } from '../../services/service-flags.ts'

export class ServiceDeregister extends ConclaveCommand {
  static override summary = 'Take an instance off the lists of its service; exit code 3 if there is none.'
  static override description =
    'Whoever may write in the directory of the service may do so, whosever the instance is. It stays off: service register, and keepRegistered of the library, notice, and do not register it again. The process itself goes on, until you stop it. One that does not reach the cluster at the moment is off the lists once its ttl is over, and registers again when it is back.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> web 192.168.1.10:8080',
    '<%= config.bin %> <%= command.id %> web web-7',
  ]
  static override args = {
    ...serviceArg,
    instance: Args.string({ ignoreStdin: true, description: 'its id, or its address', required: true }),
  }
  static override flags = { ...sessionFlags, ...registryFlag }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ServiceDeregister)
    const id = await withSession(flags, async (session) => {
      const { ServiceRegistry } = await import('@conclave/client/recipes')
      const registry = new ServiceRegistry(session, pathOf(flags.registry))
      const found = await idOf(registry, args.name, args.instance)
      await registry.deregister(args.name, found)
      return found
    })
    this.log(`deregistered ${args.name}/${id}`)
    return { service: args.name, id }
  }
}

/** What somebody wrote by hand has an id as well, even if it cannot be used. */
const idOf = async (registry: ServiceRegistry, service: string, text: string): Promise<string> => {
  const invalid: string[] = []
  const instances = await registry.list(service, { onInvalid: ({ id }) => invalid.push(id) })
  if (invalid.includes(text) || instances.some(({ id }) => id === text)) return text
  const [found, ...others] = instances.filter(({ address }) => address === text)
  if (found !== undefined && others.length === 0) return found.id
  throw new CommandFailed(
    exitCodes.refused,
    found === undefined ? 'no-node' : 'ambiguous',
    found === undefined
      ? `${service} has no instance ${text}`
      : `${others.length + 1} instances of ${service} have the address ${text}`,
    `Name one by its id: conclave service list ${service}`,
  )
}
