import type { Client, MemberStatus } from '@conclave/client'
import type { Member, Membership, NodeId } from '@conclave/interface'
import { CommandFailed, exitCodes } from './exit.ts'
import { type Row, renderColumns } from './view.ts'

/** One member as the members and the nodes themselves show it. */
export interface MemberView {
  readonly name: string
  readonly id: NodeId
  /** `joining`: a learner that becomes a voter by itself; `leaving`: a voter until the change that is under way is done. */
  readonly role: 'voter' | 'learner' | 'joining' | 'leaving'
  readonly leader: boolean
  readonly addresses: readonly string[]
  readonly up: boolean
  /** Why it is not up. */
  readonly problem?: string
  /** Decided entries that it has not applied; undefined if that is not known. */
  readonly behind?: number
}

export interface ClusterView {
  readonly membership: Membership
  readonly members: readonly MemberView[]
  /** False if there is no leader to ask: the members are those that one node knows. */
  readonly fresh: boolean
}

const roleOf = (member: Member, { outgoing = [] }: Membership): MemberView['role'] => {
  if (member.role === 'voter') return 'voter'
  if (member.promote === true) return 'joining'
  return outgoing.includes(member.id) ? 'leaving' : 'learner'
}

const viewOf = (member: Member, membership: Membership, statuses: readonly MemberStatus[]): MemberView => {
  const statusOf = (id: string) => statuses.find((status) => status.id === id)
  const own = statusOf(member.id)
  const leader = statuses.find((status) => status.reachable && status.status.leading)
  const decided = leader?.reachable === true ? leader.status.decided : undefined
  const up = own?.reachable === true
  return {
    name: member.name,
    id: member.id,
    role: roleOf(member, membership),
    leader: leader !== undefined && leader.id === member.id,
    addresses: member.addresses,
    up,
    ...(own?.reachable === false && { problem: own.error }),
    ...(up && decided !== undefined && { behind: Math.max(0, decided - own.status.applied) }),
  }
}

/** The members as the leader knows them, and what each says of itself. Without a leader: as the node that answers knows them. */
export const lookAtMembers = async (client: Client, timeout: number): Promise<ClusterView> => {
  const fresh = client.membership.get({ timeout }).catch((error: unknown) => {
    if ((error as { code?: unknown }).code === 'unavailable') return undefined
    throw error
  })
  const asked = await fresh
  const { membership } = asked ?? (await client.membership.get({ level: 'local', timeout }))
  const statuses = await client.status({ timeout: 1500 })
  return {
    membership,
    members: membership.members.map((member) => viewOf(member, membership, statuses)),
    fresh: asked !== undefined,
  }
}

/** The member of this name or id. @throws CommandFailed (3) with those that there are. */
export const findMember = ({ members }: Membership, nameOrId: string): Member => {
  const found = members.find(({ name, id }) => name === nameOrId || id === nameOrId)
  if (found !== undefined) return found
  throw new CommandFailed(
    exitCodes.refused,
    'no-such-member',
    `no member ${nameOrId}`,
    `There are ${members.map(({ name }) => name).join(', ')}; see: conclave member list`,
  )
}

const columns = ['member', 'role', 'state', 'behind', 'id', 'address'] as const

/** Lines of a table. */
export const renderMembers = ({ members }: ClusterView, paint: (style: string, text: string) => string): string[] => {
  const rows = members.map((member): Row => {
    const state = member.leader ? 'leads' : member.up ? 'up' : 'unreachable'
    const behind = member.behind === undefined ? '-' : String(member.behind)
    const cells = [member.name, member.role, state, behind, member.id, member.addresses.join(' ')]
    if (member.leader) return { cells, style: 'leader' }
    return member.up ? { cells } : { cells, style: 'trouble' }
  })
  return renderColumns(columns, new Set(['behind']), rows, paint)
}

/** What a change leaves behind: how many voters, how many of them make a quorum, and how many of them answer now. */
export const quorumWithout = (
  members: readonly MemberView[],
  id: NodeId,
): { readonly voters: number; readonly quorum: number; readonly up: number } => {
  const voters = members.filter((member) => member.role === 'voter' && member.id !== id)
  return {
    voters: voters.length,
    quorum: Math.floor(voters.length / 2) + 1,
    up: voters.filter((member) => member.up).length,
  }
}

/** `3 voters: a write needs 2 of them, so it survives the loss of 1`. */
export const quorumText = (voters: number): string => {
  const quorum = Math.floor(voters / 2) + 1
  const what = voters === 1 ? '1 voter' : `${voters} voters`
  return `${what}: a write needs ${quorum} of them, so the cluster survives the loss of ${voters - quorum}`
}

export interface MemberLine {
  readonly name: string
  readonly id: string
  /** A multiaddr without `/p2p`. */
  readonly address: string
}

/** `NAME=MULTIADDR/p2p/ID`, as `conclave init` prints it. @throws CommandFailed (2) */
export const parseMemberLine = (text: string): MemberLine => {
  const [, name, address, id] =
    /^(?:--member )?([0-9a-zA-Z._-]{1,63})=(\/(?:ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/\d{1,5})\/p2p\/([1-9A-HJ-NP-Za-km-z]{30,64})$/.exec(
      text,
    ) ?? []
  if (name !== undefined && address !== undefined && id !== undefined) return { name, address, id }
  throw new CommandFailed(
    exitCodes.usage,
    'invalid-member',
    `"${text}" is no member: expected NAME=MULTIADDR/p2p/ID`,
    'Paste what `conclave init` printed on that host, such as d=/ip4/192.168.1.13/tcp/7400/p2p/12D3KooW…',
  )
}

/** The command that starts a new member on its host. */
export const startLine = (cluster: string, { name, address }: MemberLine, present: readonly Member[]): string => {
  const others = present.filter((member) => member.name !== name && member.addresses.length > 0)
  const lines = others.map(({ id, name: other, addresses: [first = ''] }) => `--member ${other}=${first}/p2p/${id}`)
  const named = cluster === 'conclave' ? '' : ` --cluster ${cluster}`
  return `conclave node start --name ${name}${named} --listen ${address} --data DIR --join ${lines.join(' ')}`
}
