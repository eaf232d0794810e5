import type { MemberNews, NodeStatus } from '@conclave/client/protocol'
import type { Membership } from '@conclave/interface'
import type { ReplicaStatus } from '@conclave/replica'

export interface StatusContext {
  readonly id: string
  readonly name: string
  readonly cluster: string
  readonly engine: string
  /** Members that are refused, since they run another one. */
  readonly otherEngines?: NonNullable<NodeStatus['otherEngines']>
  readonly members: readonly MemberNews[]
  readonly clients: number
  /** As decided last; absent: as the engine has it. */
  readonly membership?: Membership
  /** Lease reads are served as such. */
  readonly leases?: boolean
  /** The node joined a cluster that was there. */
  readonly joined?: boolean
  /** Why it is no member any more. */
  readonly removed?: string | undefined
}

/** In the engine's words, unless there is something more important to say. */
const roleOf = (phase: string, engine: string | undefined, member: string, joined: boolean): string => {
  if (phase !== 'running' || engine === undefined) return phase
  if (member === 'none' && joined) return 'joining'
  return member === 'learner' ? 'learner' : engine
}

/** What a node says of itself, to its own program and to clients. */
export const nodeStatus = (context: StatusContext, replica: ReplicaStatus): NodeStatus => {
  const { engine, counters } = replica
  const { removed } = context
  const member = engine?.self ?? 'none'
  const phase = removed !== undefined && replica.phase !== 'failed' ? 'removed' : replica.phase
  const membership = context.membership ?? engine?.membership
  // The hash of the sessions costs a pass over them; those of machines are kept as they change.
  const machines = replica.machines.filter(({ name }) => name !== 'sessions')
  return {
    id: context.id,
    name: context.name,
    cluster: context.cluster,
    engine: context.engine,
    ...(context.otherEngines === undefined || context.otherEngines.length === 0
      ? {}
      : { otherEngines: context.otherEngines }),
    phase,
    role: roleOf(phase, engine?.role, member, context.joined === true),
    leading: phase === 'running' && engine?.leading === true,
    epoch: String(engine?.epoch ?? 0n),
    ...(engine?.leader === undefined ? {} : { leader: engine.leader }),
    decided: engine?.decided ?? 0,
    applied: replica.applied.position,
    last: engine?.last ?? 0,
    snapshot: engine?.snapshot ?? 0,
    members: context.members,
    member,
    leases: context.leases === true,
    ...(membership === undefined ? {} : { membership }),
    ...(removed === undefined ? {} : { removed }),
    machines: Object.fromEntries(machines.map(({ name, hash }) => [name, hash()])),
    commands: counters.commands,
    snapshotsCaptured: counters.snapshotsCaptured,
    snapshotsSent: counters.snapshotsSent,
    snapshotsInstalled: counters.snapshotsRestored,
    clients: context.clients,
    sessions: replica.sessions,
    disk: replica.disk,
    restoring: replica.restoring,
    ...(replica.journal === undefined ? {} : { journal: replica.journal }),
    counters,
    queues: replica.queues,
    ...(engine === undefined ? {} : { detail: engine.detail }),
  }
}
