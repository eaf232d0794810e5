/** Leadership that is given away, and machines that come back with an empty disk, as new members, while everything else goes wrong. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '@conclave/interface'
import { pick } from './chance.ts'
import { type Arena, type Fault, type Injected, leaderOrAnyone, type MembershipHands } from './fault.ts'
import type { NodeProcess } from './node-process.ts'

/** Other faults may stand in the way for as long as they last. */
const replaceMillis = 60_000
const betweenTries = 150

const moveLeader = async (arena: Arena, random: Random): Promise<Injected | undefined> => {
  const { members } = arena
  const target = pick(random, arena.nodes)
  if (members === undefined || !target.running) return undefined
  const moving = members.administer({ type: 'move-leader', id: target.member.id })
  return {
    text: `asked for ${target.name} to lead`,
    lastsMillis: 0,
    // It may come to nothing: the target may be cut off, or be paused.
    heal: async () => void (await moving),
  }
}

/** Looks, and takes the next step, until the old member is gone and the new one is a voter. */
const settle = async (
  hands: MembershipHands,
  node: NodeProcess,
  old: string,
  learner: boolean,
  until: number,
): Promise<void> => {
  let last = 'nothing was tried'
  while (performance.now() < until) {
    const { members, error } = await hands.administer({ type: 'members' })
    const own = members?.find(({ id }) => id === node.member.id)
    if (members === undefined) last = `members: ${error}`
    else if (members.some(({ id }) => id === old)) last = await tried(hands, { type: 'remove', id: old })
    else if (own === undefined) {
      const member = { ...node.member, addresses: [hands.endpointOf(node)] }
      last = await tried(hands, { type: 'add', member, role: learner ? 'learner' : 'voter' })
    } else if (own.role === 'voter') return
    else if (!own.promote) last = await tried(hands, { type: 'promote', id: own.id })
    else last = 'it has not caught up'
    await sleep(betweenTries)
  }
  hands.failed(`${node.member.name} did not take the place of ${old} within ${replaceMillis} ms: ${last}`)
}

const tried = async (hands: MembershipHands, action: Parameters<MembershipHands['administer']>[0]): Promise<string> =>
  `${action.type}: ${(await hands.administer(action)).error ?? 'done'}`

const gone = async (hands: MembershipHands, id: string, until: number): Promise<void> => {
  while (performance.now() < until) {
    const { members } = await hands.administer({ type: 'members' })
    if (members?.every((member) => member.id !== id)) return
    await tried(hands, { type: 'remove', id })
    await sleep(betweenTries)
  }
}

/** A full disk may keep it from being born; it is freed again. */
const reborn = async (hands: MembershipHands, node: NodeProcess, until: number): Promise<void> => {
  for (;;) {
    try {
      return await hands.rebirth(node)
    } catch (error) {
      if (performance.now() > until) throw error
      await sleep(betweenTries)
    }
  }
}

const replace = async (arena: Arena, random: Random): Promise<Injected | undefined> => {
  const hands = arena.members
  const node = random.next() < 0.4 ? leaderOrAnyone(arena, random) : pick(random, arena.nodes)
  const [alive, learner] = [random.next() < 0.5, random.next() < 0.5]
  if (hands === undefined || hands.replacing.size > 0) return undefined
  hands.replacing.add(node)
  const old = node.member.id
  const until = performance.now() + replaceMillis
  const replacing = (async () => {
    if (alive) {
      node.mayEnd()
      await gone(hands, old, until)
    }
    await reborn(hands, node, until)
    await settle(hands, node, old, learner, until)
  })().finally(() => hands.replacing.delete(node))
  replacing.catch(() => undefined)
  return {
    text: `replaced ${node.name}, ${alive ? 'removed while it ran' : 'its disk lost'}, by a new ${learner ? 'learner' : 'voter'}`,
    lastsMillis: 0,
    heal: () => replacing,
  }
}

const canChange = ({ members }: Arena): boolean => members !== undefined
/** A member has one address for all: relays that each node has for itself would need one each. */
const canReplace = (arena: Arena): boolean => canChange(arena) && arena.network.mode === 'netns'

export const memberFaults: readonly Fault[] = [
  { kind: 'move-leader', weight: 3, possible: canChange, inject: moveLeader },
  { kind: 'replace-member', weight: 2.5, possible: canReplace, inject: replace },
]
