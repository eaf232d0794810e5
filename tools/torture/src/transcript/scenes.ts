/** Stories that every engine with a leader can tell. */
import { add, captured, propose, remove, transfer } from '../inputs.ts'
import { limits, type Node, timing } from '../node.ts'
import type { Scene, Stage } from './transcript.ts'

/** The time-out of `n` ends first; that of the others is over so far that they may follow it. */
export const timeOut = ({ cluster, untold }: Stage, n: number, ...hung: number[]): void => {
  const candidate = cluster.at(n)
  const end = () => {
    for (const node of cluster.all.values())
      if (node !== candidate && !hung.some((other) => cluster.at(other) === node)) node.tick(timing.electionTicks)
    stand(candidate, cluster)
  }
  if (!cluster.isHinted) end()
  else
    untold(() => {
      end()
      cluster.flying = []
      cluster.hint(n)
    })
  cluster.settle()
}

const stand = (candidate: Node, { flying }: Stage['cluster']): void => {
  const before = flying.length
  for (let ticks = 0; flying.length === before && ticks < 3 * timing.electionTicks; ticks++) candidate.tick()
}

/** n1 leads, everybody knows it, and batch "a" is decided everywhere. */
export const settled = (stage: Stage): void =>
  stage.untold(() => {
    timeOut(stage, 1)
    stage.cluster.at(1).turn(propose(1, 'a'))
    stage.cluster.settle()
    stage.cluster.rounds(timing.heartbeatTicks)
  })

const normalCase: Scene = {
  title: 'The normal case: a leader is elected, and decides',
  play: (stage) => {
    const { cluster, say } = stage
    say('Nobody leads. The election time-out of n1 ends first.')
    timeOut(stage, 1)
    say('A client asks n1, and n1 asks the others; what a majority has on disk is decided.')
    cluster.at(1).turn(propose(1, 'a'))
    cluster.settle()
    say('Two more at once are one exchange.')
    cluster.at(1).turn(propose(2, 'b'), propose(3, 'c'))
    cluster.settle()
    say('With the next heartbeat everybody knows what is decided.')
    cluster.rounds(timing.heartbeatTicks)
  },
}

const leaderChange: Scene = {
  title: 'A leader is lost, and another takes over',
  play: (stage) => {
    const { cluster, say } = stage
    settled(stage)
    say('n1 hangs. The time-out of n2 ends first.')
    cluster.isolate(1)
    timeOut(stage, 2, 1)
    say('A client asks n2.')
    cluster.at(2).turn(propose(2, 'b'))
    cluster.settle()
    say('n1 goes on as if nothing had been, and is asked for a batch.')
    cluster.heal()
    cluster.at(1).turn(propose(3, 'c'))
    cluster.settle()
    cluster.rounds(2 * timing.heartbeatTicks)
  },
}

const laggard: Scene = {
  title: 'A node that was away catches up',
  play: (stage) => {
    const { cluster, say, untold } = stage
    settled(stage)
    say('n3 is cut off, and misses three batches, "b", "c" and "d".')
    cluster.isolate(3)
    untold(() => {
      for (const [i, batch] of ['b', 'c', 'd'].entries()) {
        cluster.at(1).turn(propose(i + 2, batch))
        cluster.settle()
      }
    })
    say('The link is back.')
    cluster.heal()
    cluster.at(1).turn({ type: 'peer', id: cluster.at(3).id, state: 'up' })
    cluster.settle()
    cluster.rounds(2 * timing.heartbeatTicks)
  },
}

const inheritance: Scene = {
  title: 'What a lost leader has begun is finished by the next one, if any of its voters has it',
  play: (stage) => {
    const { cluster, say } = stage
    settled(stage)
    say('n1 takes a batch. It reaches n2, not n3; no answer reaches n1.')
    cluster.cut = ({ from, to }) => to === 'n3' || from === 'n2'
    cluster.at(1).turn(propose(2, 'b'))
    cluster.settle()
    say('n1 hangs. The time-out of n3 ends first, which does not have the batch.')
    cluster.isolate(1)
    timeOut(stage, 3, 1)
    if (cluster.at(3).status.leading) return
    say('n2, which has it, did not let n3 lead. Its own time-out ends.')
    timeOut(stage, 2, 1)
  },
}

const conflict: Scene = {
  title: 'What a lost leader alone has is replaced',
  play: (stage) => {
    const { cluster, say } = stage
    settled(stage)
    say('n1 takes a batch that reaches nobody, and hangs.')
    cluster.isolate(1)
    cluster.at(1).turn(propose(2, 'b'))
    cluster.settle()
    say('The time-out of n2 ends first. It takes another batch.')
    timeOut(stage, 2, 1)
    cluster.at(2).turn(propose(3, 'c'))
    cluster.settle()
    say('n1 is back, and hears of it.')
    cluster.heal()
    cluster.at(2).turn({ type: 'peer', id: cluster.at(1).id, state: 'up' })
    cluster.settle()
    cluster.rounds(timing.heartbeatTicks)
  },
}

const membership: Scene = {
  title: 'A voter joins, and another leaves',
  play: (stage) => {
    const { cluster, say } = stage
    settled(stage)
    say('n4 starts with the list of the founders, and is none of them.')
    cluster.join(4)
    say('n1 is asked to make it a voter. Until it has caught up it is a learner that is on its way: (n4*).')
    cluster.at(1).turn(add(2, 4, 'voter'))
    cluster.settle()
    cluster.rounds(timing.electionTicks)
    say('n1 is asked to leave n3 out.')
    cluster.at(1).turn(remove(3, 3))
    cluster.settle()
    cluster.rounds(timing.heartbeatTicks)
  },
}

const snapshot: Scene = {
  title: 'A node that was away too long gets a snapshot',
  make: { limits: { ...limits, tailBytes: 60 } },
  play: (stage) => {
    const { cluster, say, untold } = stage
    settled(stage)
    const [leader, laggard] = [cluster.at(1), cluster.at(3)]
    say('n3 is cut off, and misses five batches. The memory of n1 holds fewer.')
    cluster.isolate(3)
    untold(() => {
      for (let id = 2; id <= 6; id++) {
        leader.turn(propose(id, 'x'.repeat(20)))
        cluster.settle()
      }
      cluster.rounds(timing.heartbeatTicks)
    })
    say('The link is back.')
    cluster.heal()
    leader.turn({ type: 'peer', id: laggard.id, state: 'up' })
    cluster.settle()
    cluster.rounds(timing.heartbeatTicks)
    say('n1 captures one. It goes to n3, which goes on from there.')
    leader.turn(captured(leader.status.decided))
    cluster.rounds(timing.electionTicks)
    cluster.carrySnapshot(1, 3)
    cluster.settle()
    leader.turn(propose(7, 'y'))
    cluster.settle()
  },
}

const duel: Scene = {
  title: 'Two want to lead at once',
  play: (stage) => {
    const { cluster, say } = stage
    say('Nobody leads. The time-outs of n1 and n2 end at the same moment.')
    for (const n of [1, 2]) stand(cluster.at(n), cluster)
    cluster.settle()
    cluster.rounds(3 * timing.electionTicks)
    const leader = [...cluster.all.values()].find(({ status }) => status.leading)
    say('A client asks the one that has won.')
    leader?.turn(propose(1, 'a'))
    cluster.settle()
  },
}

const handOver: Scene = {
  title: 'A leader hands over',
  play: (stage) => {
    const { cluster, say } = stage
    settled(stage)
    say('n1 is asked to hand over to n2. Nobody waits for a time-out.')
    cluster.at(1).turn(transfer(2))
    cluster.settle()
    cluster.rounds(timing.heartbeatTicks)
  },
}

/** By the names of their files. */
export const scenes = {
  'normal-case': normalCase,
  'leader-change': leaderChange,
  laggard,
  inheritance,
  conflict,
  duel,
  'hand-over': handOver,
  membership,
  snapshot,
} as const
