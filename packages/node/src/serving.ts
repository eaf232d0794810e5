import type { LeaderNews } from '@conclave/client/protocol'
import type { Epoch } from '@conclave/interface'
import type { Replica } from '@conclave/replica'
import { judgeChange, judgeTransfer } from './judge.ts'
import type { Roster } from './roster.ts'
import type { Served, ServedMembership } from './served.ts'

/** What clients are served of a replica. @param status a `NodeStatus` as JSON. */
export const servedBy = (replica: Replica, roster: Roster, status: () => string): Served => ({
  ...servedCalls(replica),
  leader: () => leaderNews(replica, roster),
  members: () => roster.members(),
  membership: servedMembership(replica),
  status,
})

/** What the replica itself answers. */
export const servedCalls = (
  replica: Replica,
): Pick<Served, 'submit' | 'ask' | 'read' | 'query' | 'watch' | 'restoring'> => ({
  submit: (block, done, principal) =>
    replica.submit(
      block,
      (outcome) => {
        if (outcome.type === 'replies') done({ replies: outcome.bytes })
        else done({ outcome: outcome.type === 'refused' ? outcome.reason : 'unknown' })
      },
      principal,
    ),
  ask: (machine, principal, request, done) =>
    replica.ask(machine, principal, request, (outcome) => {
      if (outcome.type === 'reply') done({ reply: outcome.bytes })
      else done({ refused: outcome.reason })
    }),
  read: (level, done) =>
    replica.read(level, (outcome) => {
      if (outcome.type === 'ready') done()
      else done(outcome.type === 'refused' ? outcome.reason : 'not-ready')
    }),
  query: (machine, query) => replica.query(machine, query),
  watch: (machine, request) => replica.watch(machine, request),
  restoring: () => replica.status().restoring,
})

const leaderNews = (replica: Replica, roster: Roster): LeaderNews => {
  const { id, epoch } = replica.leader ?? { epoch: 0n as Epoch }
  const addresses = roster.find(id)?.addresses ?? []
  return { epoch, addresses, ...(id === undefined ? {} : { id }) }
}

/** The leader says in words why it refuses; whatever it lets pass, the engine judges. */
export const servedMembership = (replica: Replica): ServedMembership => {
  const leads = (): boolean => replica.leader?.id === replica.self
  return {
    reconfigure: (change, done) => {
      const reason = leads() ? judgeChange(replica.membership, change) : undefined
      if (reason !== undefined) return void setImmediate(() => done({ outcome: 'invalid', reason }))
      replica.reconfigure(change, (outcome) => {
        if (outcome.type === 'refused') done({ outcome: outcome.reason })
        else done({ outcome: outcome.type === 'decided' ? 'done' : 'unknown' })
      })
    },
    transfer: (to) => {
      if (!leads()) return { outcome: 'not-leader' }
      if (replica.supports?.transfer !== true)
        return { outcome: 'unsupported', reason: 'the engine moves no leadership' }
      // By the latest configuration, decided or not: that is what the engine goes by.
      const reason = judgeTransfer(replica.status().engine?.membership ?? replica.membership, to)
      if (reason !== undefined) return { outcome: 'invalid', reason }
      replica.transfer(to)
      return { outcome: 'done' }
    },
    present: () => replica.membership,
  }
}
