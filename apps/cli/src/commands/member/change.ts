/** `conclave member remove|promote|update` and `conclave move-leader`: what is done to a member that is there. */
import { Args, Flags } from '@oclif/core'
import { ConclaveCommand } from '../../base-command.ts'
import { clientFlags, openClient } from '../../client.ts'
import { parseDuration, waitFlag } from '../../duration.ts'
import { CommandFailed, exitCodes } from '../../exit.ts'
import { type ClusterView, findMember, lookAtMembers, quorumText, quorumWithout } from '../../members.ts'

const memberArg = {
  member: Args.string({ ignoreStdin: true, description: 'NAME or ID of the member', required: true }),
}

/** @throws CommandFailed (3) if the cluster would stop without it, and that was not said to be wanted. */
const checkRemoval = (view: ClusterView, name: string, yes: boolean): void => {
  const { id } = findMember(view.membership, name)
  const { voters, quorum, up } = quorumWithout(view.members, id)
  const isVoter = view.members.some((member) => member.id === id && member.role === 'voter')
  if (!isVoter || voters === 0 || up >= quorum || yes) return
  throw new CommandFailed(
    exitCodes.refused,
    'quorum-at-risk',
    `without ${name}, ${voters} voters remain and a write needs ${quorum} of them, but only ${up} answer now: the cluster would stop`,
    'Bring the others back first (`conclave member list`), or say that you mean it with --yes.',
  )
}

export class MemberRemove extends ConclaveCommand {
  static override summary =
    'Remove a member for good. Its id is never used again; its machine can come back under a new one.'
  static override description =
    'If it leads, another member takes over. Refused for the last voter; needs --yes if the voters that remain and answer could not serve.'
  static override examples = ['<%= config.bin %> <%= command.id %> c']
  static override args = memberArg
  static override flags = {
    ...clientFlags,
    yes: Flags.boolean({ char: 'y', description: 'also if the cluster may stop serving by it' }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(MemberRemove)
    const timeout = flags.timeout * 1000
    await using client = await openClient(flags)
    const view = await lookAtMembers(client, timeout)
    const { id, name } = findMember(view.membership, args.member)
    checkRemoval(view, name, flags.yes)
    const { voters, quorum } = quorumWithout(view.members, id)
    await client.membership.remove(id, { timeout })
    this.log(`removed ${name}; ${quorumText(voters)}`)
    return { name, id, voters, quorum }
  }
}

export class MemberPromote extends ConclaveCommand {
  static override summary = 'Make a learner a voter, as soon as it has caught up.'
  static override examples = ['<%= config.bin %> <%= command.id %> d']
  static override args = memberArg
  static override flags = clientFlags

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(MemberPromote)
    const timeout = flags.timeout * 1000
    await using client = await openClient(flags)
    const { id, name } = findMember((await client.membership.get({ timeout })).membership, args.member)
    await client.membership.promote(id, { timeout })
    this.log(`${name} becomes a voter once it has caught up; see it with: conclave member list`)
    return { name, id }
  }
}

export class MemberUpdate extends ConclaveCommand {
  static override summary = 'Give a member another address or another name.'
  static override examples = ['<%= config.bin %> <%= command.id %> c --address /ip4/192.168.1.30/tcp/7400']
  static override args = memberArg
  static override flags = {
    ...clientFlags,
    address: Flags.string({
      description: 'where the others reach it; may be repeated',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'MULTIADDR',
    }),
    name: Flags.string({ description: 'its new name', helpValue: 'NAME' }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(MemberUpdate)
    const timeout = flags.timeout * 1000
    await using client = await openClient(flags)
    const found = findMember((await client.membership.get({ timeout })).membership, args.member)
    const member = { id: found.id, name: flags.name ?? found.name, addresses: flags.address ?? found.addresses }
    await client.membership.update(member, { timeout })
    this.log(`${found.name} is now ${member.name} at ${member.addresses.join(', ')}`)
    return member
  }
}

export class MoveLeader extends ConclaveCommand {
  static override summary = 'Give leadership to a voter, without a pause that clients notice.'
  static override examples = ['<%= config.bin %> <%= command.id %> b']
  static override args = memberArg
  static override flags = { ...clientFlags, ...waitFlag('until it leads (default: --timeout)') }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(MoveLeader)
    const timeout = flags.wait === undefined ? flags.timeout * 1000 : parseDuration(flags.wait, 'wait')
    await using client = await openClient(flags)
    const { id, name } = findMember((await client.membership.get({ timeout })).membership, args.member)
    await client.membership.moveLeader(id, { timeout })
    const { epoch } = client.leader()
    this.log(`${name} leads`)
    return { leader: name, id, epoch: String(epoch) }
  }
}
