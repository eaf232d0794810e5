import type { ServiceInstance, ServiceList } from '@conclave/client/recipes'
import { Flags } from '@oclif/core'
import { ConclaveCommand, color } from '../../base-command.ts'
import { openClient } from '../../client.ts'
import { pathOf } from '../../locks/name.ts'
import { sessionFlags } from '../../locks/open-session.ts'
import { printLine } from '../../print-line.ts'
import { changeLines, invalidText } from '../../services/instance-view.ts'
import { filterFlags, isWanted, registryFlag, serviceArg } from '../../services/service-flags.ts'
import { onEndSignals } from '../../signals.ts'

export class ServiceWatch extends ConclaveCommand {
  static override summary = 'Print the instances of a service, and what changes, until Ctrl-C.'
  static override description =
    'While the cluster is away the last list stands, and is said to be stale. With --json a line for each list, whole: {"service","stale","instances"}, and "since" and "reason" of one that is stale.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> web',
    '<%= config.bin %> <%= command.id %> web --passing --json',
  ]
  static override args = serviceArg
  static override flags = {
    ...sessionFlags,
    ...registryFlag,
    ...filterFlags,
    count: Flags.integer({ description: 'end after so many lists', min: 1, helpValue: 'N' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ServiceWatch)
    const { followService } = await import('@conclave/client/recipes')
    await using client = await openClient(flags)
    await using follower = followService(client, args.name, {
      path: pathOf(flags.registry),
      onInvalid: (invalid) => void printLine(invalidText(invalid), process.stderr),
    })
    using _ = { [Symbol.dispose]: onEndSignals(() => void follower.close()) }
    let left = flags.count ?? Number.POSITIVE_INFINITY
    let told: ServiceList | undefined
    for await (const list of follower) {
      const wanted = { ...list, instances: list.instances.filter((instance) => isWanted(instance, flags)) }
      if (JSON.stringify(wanted) === JSON.stringify(told)) continue
      for (const line of this.jsonEnabled() ? [jsonOf(wanted)] : textOf(told, wanted))
        if (!(await printLine(line))) return
      told = wanted
      left -= 1
      if (left <= 0) return
    }
  }
}

const jsonOf = (list: ServiceList): string =>
  JSON.stringify(list.stale ? { ...list, since: new Date(list.since).toISOString() } : list)

const textOf = (told: ServiceList | undefined, { service, ...list }: ServiceList): string[] => {
  const before: readonly ServiceInstance[] = told?.instances ?? []
  const lines = changeLines(before, list.instances)
  if (list.stale)
    return [...lines, `${color('33', 'stale')} since ${new Date(list.since).toISOString()}: ${list.reason}`]
  if (told?.stale === true) return [...lines, `${color('32', 'current')} again`]
  return lines.length === 0 ? [`no instance of ${service}`] : lines
}
