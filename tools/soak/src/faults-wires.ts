/** Wires that are cut, lossy or slow. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '@conclave/interface'
import { between, pick, shuffled } from './chance.ts'
import { type Arena, type Fault, type Injected, leaderOrAnyone, nothing } from './fault.ts'
import { clientHosts, type Host, type Trouble } from './network.ts'

const hasPackets = ({ network }: Arena): boolean => network.mode === 'netns'
/** Among three everybody is everybody's neighbour. */
const isLargeWithPackets = (arena: Arena): boolean => hasPackets(arena) && arena.nodes.length >= 4
const hasRelays = ({ network }: Arena): boolean => network.relayedLinks.length > 0
const duration = (random: Random): number => between(random, 500, 6000)

const loss = (from: readonly Host[], to: readonly Host[], share = 1): Trouble[] =>
  from.flatMap((a) => to.filter((b) => b !== a).map((b) => ({ type: 'loss' as const, from: a, to: b, share })))
const cut = (some: readonly Host[], others: readonly Host[]): Trouble[] => [
  ...loss(some, others),
  ...loss(others, some),
]

const make = async (
  arena: Arena,
  text: string,
  troubles: readonly Trouble[],
  lastsMillis: number,
): Promise<Injected> => ({ text, lastsMillis, heal: await arena.network.trouble(troubles) })

const hostsOf = ({ nodes }: Arena): Host[] => nodes.map(({ name }) => name)

/** A minority on one side, perhaps with some clients, who see only that; other clients see only the majority, or both. */
const split = (arena: Arena, random: Random): Promise<Injected> => {
  const hosts = shuffled(random, hostsOf(arena))
  const size = 1 + Math.floor(random.next() * Math.floor((hosts.length - 1) / 2))
  const [minority, majority] = [hosts.slice(0, size), hosts.slice(size)]
  for (const host of clientHosts) {
    const place = random.next()
    if (place < 0.35) minority.push(host)
    else if (place < 0.7) majority.push(host)
  }
  return make(arena, `cut ${minority} off from ${majority}`, cut(minority, majority), duration(random))
}

/** Every node sees a majority, and no two majorities are the same. */
const ring = (arena: Arena, random: Random): Promise<Injected> => {
  const hosts = shuffled(random, hostsOf(arena))
  const reach = Math.floor(hosts.length / 4)
  const far = (a: number, b: number): boolean => {
    const distance = Math.abs(a - b)
    return Math.min(distance, hosts.length - distance) > Math.max(1, reach)
  }
  const troubles = hosts.flatMap((from, a) => hosts.flatMap((to, b) => (far(a, b) ? loss([from], [to]) : [])))
  return make(arena, `left a ring ${hosts.join('–')}`, troubles, duration(random))
}

/** Two halves that only one node sees both of. */
const bridge = (arena: Arena, random: Random): Promise<Injected> => {
  const [middle = '', ...others] = shuffled(random, hostsOf(arena))
  const half = Math.ceil(others.length / 2)
  const [left, right] = [others.slice(0, half), others.slice(half)]
  return make(arena, `left only ${middle} between ${left} and ${right}`, cut(left, right), duration(random))
}

const isolateLeader = (arena: Arena, random: Random): Promise<Injected> => {
  const { name } = leaderOrAnyone(arena, random)
  return make(arena, `cut ${name} off`, cut([name], hostsOf(arena)), duration(random))
}

/**
 * The leader is stopped and, with some clients, cut off; the others elect another, and write. Then it goes on: nothing has told it yet that it is
 * deposed, and its clients ask it.
 */
const oldLeader = async (arena: Arena, random: Random): Promise<Injected | undefined> => {
  const old = leaderOrAnyone(arena, random)
  const clients = pick(random, clientHosts)
  const others = [...hostsOf(arena), ...clientHosts].filter((host) => host !== old.name && host !== clients)
  const stopped = between(random, 500, 2500)
  if (!old.running || old.paused || !old.pause()) return undefined
  const { incarnation } = old
  const heal = await arena.network.trouble(cut([old.name, clients], others))
  const goesOn = sleep(stopped).then(() => {
    if (old.incarnation === incarnation) old.resume()
  })
  return {
    text: `stopped ${old.name} for ${Math.round(stopped)} ms, cut off with ${clients}`,
    lastsMillis: stopped + between(random, 300, 2500),
    heal: () => goesOn.then(heal),
  }
}

/** A node that hears and is not heard, or the other way round. */
const oneWay = (arena: Arena, random: Random): Promise<Injected> => {
  const victim = random.next() < 0.6 ? leaderOrAnyone(arena, random) : pick(random, arena.nodes)
  const others = hostsOf(arena).filter((host) => host !== victim.name)
  const some = shuffled(random, others).slice(0, 1 + Math.floor(random.next() * others.length))
  const deaf = random.next() < 0.5
  const troubles = deaf ? loss(some, [victim.name]) : loss([victim.name], some)
  const text = deaf ? `${victim.name} no longer hears ${some}` : `${victim.name} is no longer heard by ${some}`
  return make(arena, text, troubles, duration(random))
}

/** Packets lost at random, both ways; TCP sends them again, late. */
const drop = (arena: Arena, random: Random): Promise<Injected> => {
  const share = between(random, 0.05, 0.3)
  const hosts = hostsOf(arena)
  const some = shuffled(random, hosts).slice(0, 1 + Math.floor(random.next() * hosts.length))
  const all = [...hosts, ...clientHosts]
  const troubles = [
    ...loss(some, all, share),
    ...loss(
      all.filter((host) => !some.includes(host)),
      some,
      share,
    ),
  ]
  return make(arena, `lost ${Math.round(share * 100)} % of the packets of ${some}`, troubles, duration(random))
}

/** Clients that cannot reach some nodes, which are well otherwise. */
const clientsCut = (arena: Arena, random: Random): Promise<Injected> => {
  const { name } = random.next() < 0.5 ? leaderOrAnyone(arena, random) : pick(random, arena.nodes)
  const some = random.next() < 0.5 ? clientHosts : [pick(random, clientHosts)]
  return make(arena, `cut ${some} off from ${name}`, cut(some, [name]), duration(random))
}

/** Links that lead through relays: some, or all of one node's. */
const links = (arena: Arena, random: Random): (readonly [Host, Host])[] => {
  const all = arena.network.relayedLinks
  const victim = leaderOrAnyone(arena, random).name
  const own = all.filter(([from, to]) => from === victim || to === victim)
  if (random.next() < 0.5 && own.length > 0) return own
  return shuffled(random, all).slice(0, 1 + Math.floor(random.next() * all.length))
}

const delay = (arena: Arena, random: Random): Promise<Injected> => {
  const delayMillis = between(random, 5, 250)
  const pace = { delayMillis, jitterMillis: random.next() * delayMillis, stalled: false }
  const slow = links(arena, random)
  const troubles = slow.map(([from, to]) => ({ type: 'pace' as const, from, to, pace }))
  return make(arena, `made ${slow.length} links slow by ${Math.round(delayMillis)} ms`, troubles, duration(random))
}

/** Bytes wait, then all come at once. */
const stall = (arena: Arena, random: Random): Promise<Injected> => {
  const pace = { delayMillis: 0, jitterMillis: 0, stalled: true }
  const stuck = links(arena, random)
  const troubles = stuck.map(([from, to]) => ({ type: 'pace' as const, from, to, pace }))
  return make(arena, `held the bytes of ${stuck.length} links back`, troubles, between(random, 200, 4000))
}

const reset = async (arena: Arena, random: Random): Promise<Injected> => {
  const torn = links(arena, random)
  for (const [from, to] of torn) arena.network.reset(from, to)
  return { text: `reset the connections of ${torn.length} links`, lastsMillis: 0, heal: nothing }
}

export const wireFaults: readonly Fault[] = [
  { kind: 'partition', weight: 4, possible: hasPackets, inject: split },
  { kind: 'partition-ring', weight: 1, possible: isLargeWithPackets, inject: ring },
  { kind: 'partition-bridge', weight: 1, possible: isLargeWithPackets, inject: bridge },
  { kind: 'isolate-leader', weight: 3, possible: hasPackets, inject: isolateLeader },
  { kind: 'old-leader', weight: 2.5, possible: hasPackets, inject: oldLeader },
  { kind: 'one-way', weight: 3, possible: hasPackets, inject: oneWay },
  { kind: 'drop', weight: 3, possible: hasPackets, inject: drop },
  { kind: 'clients-cut', weight: 1, possible: hasPackets, inject: clientsCut },
  { kind: 'delay', weight: 2, possible: hasRelays, inject: delay },
  { kind: 'stall', weight: 2, possible: hasRelays, inject: stall },
  { kind: 'reset', weight: 1, possible: hasRelays, inject: reset },
]
