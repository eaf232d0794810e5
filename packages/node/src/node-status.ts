import type { MemberNews, NodeStatus } from '@conclave/client/protocol'
import type { ReplicaStatus } from '@conclave/replica'

export interface StatusContext {
  readonly id: string
  readonly name: string
  readonly cluster: string
  readonly engine: string
  readonly members: readonly MemberNews[]
  readonly clients: number
}

/** What a node says of itself, to its own program and to clients. */
export const nodeStatus = (context: StatusContext, replica: ReplicaStatus): NodeStatus => {
  const { engine, counters } = replica
  // The hash of the sessions costs a pass over them; those of machines are kept as they change.
  const machines = replica.machines.filter(({ name }) => name !== 'sessions')
  return {
    id: context.id,
    name: context.name,
    cluster: context.cluster,
    engine: context.engine,
    phase: replica.phase,
    role: engine?.role ?? replica.phase,
    leading: replica.phase === 'running' && engine?.leading === true,
    epoch: String(engine?.epoch ?? 0n),
    ...(engine?.leader === undefined ? {} : { leader: engine.leader }),
    decided: engine?.decided ?? 0,
    applied: replica.applied.position,
    last: engine?.last ?? 0,
    snapshot: engine?.snapshot ?? 0,
    members: context.members,
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
