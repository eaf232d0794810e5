import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '@conclave/client'
import { Args, Flags } from '@oclif/core'
import { ConclaveCommand } from '../../base-command.ts'
import { clientFlags, openClient } from '../../client.ts'
import { parseDuration, waitFlag } from '../../duration.ts'
import { CommandFailed, exitCodes } from '../../exit.ts'
import { lookAtMembers, type MemberView, parseMemberLine, startLine } from '../../members.ts'

/** Between two looks at a member that catches up. */
const lookMillis = 200

export class MemberAdd extends ConclaveCommand {
  static override summary =
    'Add a node to the cluster: first as a learner, which becomes a voter once it has caught up.'
  static override description =
    'Takes the line that `conclave init` printed on the new host. Start the node there with `conclave node start --join`, before or after.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> d=/ip4/192.168.1.13/tcp/7400/p2p/12D3KooW… --wait 60s',
    '<%= config.bin %> <%= command.id %> d=/ip4/192.168.1.13/tcp/7400/p2p/12D3KooW… --learner',
  ]
  static override args = {
    member: Args.string({ ignoreStdin: true, description: 'NAME=MULTIADDR/p2p/ID', required: true }),
  }
  static override flags = {
    ...clientFlags,
    learner: Flags.boolean({ description: 'it stays a learner until `conclave member promote`' }),
    ...waitFlag('until it is a voter; of a learner: until it has caught up'),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(MemberAdd)
    const line = parseMemberLine(args.member)
    const wait = flags.wait === undefined ? 0 : parseDuration(flags.wait, 'wait')
    await using client = await openClient(flags)
    const role = flags.learner ? 'learner' : 'voter'
    const member = { id: line.id, name: line.name, addresses: [line.address] }
    await client.membership.add(member, { role, timeout: flags.timeout * 1000 })
    this.log(`${line.name} is a member: a learner${flags.learner ? '' : ', until it has caught up'}`)
    const { membership } = await client.membership.get({ timeout: flags.timeout * 1000 })
    const start = startLine(client.cluster, line, membership.members)
    if (wait === 0) this.log(`If it does not run yet, start it on its host:\n  ${start}`)
    const reached = wait === 0 ? undefined : await this.follow(client, line.name, role, wait, start)
    return { name: line.name, id: line.id, role: reached?.role ?? (flags.learner ? 'learner' : 'joining'), start }
  }

  /** Tells each step on the way. @throws CommandFailed (4) if it takes longer than `wait` milliseconds. */
  private async follow(
    client: Client,
    name: string,
    role: 'voter' | 'learner',
    wait: number,
    start: string,
  ): Promise<MemberView> {
    const deadline = Date.now() + wait
    let told = ''
    for (;;) {
      const { members } = await lookAtMembers(client, Math.max(1000, deadline - Date.now()))
      const view = members.find((member) => member.name === name)
      if (view === undefined)
        throw new CommandFailed(exitCodes.refused, 'removed', `${name} was removed again before it had caught up`)
      const stage = stageOf(view)
      if (stage !== told) this.log(`${name} ${stage}`)
      told = stage
      if (view.role === 'voter' || (role === 'learner' && view.behind === 0)) return view
      if (Date.now() > deadline) throw late(view, wait, start)
      await sleep(lookMillis)
    }
  }
}

const stageOf = (view: MemberView): string => {
  if (view.role === 'voter') return 'is a voter'
  if (!view.up) return 'does not answer yet'
  if (view.behind === undefined) return 'catches up'
  return view.behind === 0 ? 'has caught up' : `catches up: ${view.behind} entries behind`
}

const late = (view: MemberView, wait: number, start: string): CommandFailed =>
  new CommandFailed(
    exitCodes.unavailable,
    'not-caught-up',
    `${view.name} is a member, but after ${wait / 1000} s it ${view.up ? 'has not caught up' : 'does not answer'}`,
    view.up
      ? 'It goes on by itself; see it with: conclave member list'
      : `It goes on by itself once the node runs. Start it on its host:\n${start}`,
  )
