import { ConclaveCommand, color } from '../../base-command.ts'
import { clientFlags, openClient } from '../../client.ts'
import { lookAtMembers, quorumText, renderMembers } from '../../members.ts'

/** After so long without a leader, one node's word will do. */
const leaderMillis = 5000

export class MemberList extends ConclaveCommand {
  static override summary = 'Show the members: voters, learners, who leads, and how far behind each is.'
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json']
  static override flags = clientFlags

  async run(): Promise<unknown> {
    const { flags } = await this.parse(MemberList)
    await using client = await openClient(flags)
    const view = await lookAtMembers(client, Math.min(flags.timeout * 1000, leaderMillis))
    for (const line of renderMembers(view, color)) this.log(line)
    const voters = view.members.filter(({ role }) => role === 'voter').length
    this.log(`\n${quorumText(voters)}`)
    if (!view.fresh) this.logToStderr('There is no leader now: these are the members as one node knows them.')
    const leader = view.members.find((member) => member.leader)
    return {
      cluster: client.cluster,
      leader: leader?.name ?? null,
      fresh: view.fresh,
      voters,
      quorum: Math.floor(voters / 2) + 1,
      members: view.members,
    }
  }
}
