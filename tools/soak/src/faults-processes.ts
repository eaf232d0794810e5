/** Processes that end, hang, and start again and again. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '@conclave/interface'
import { between, pick, shuffled } from './chance.ts'
import { type Arena, always, type Fault, type Injected, leaderOrAnyone } from './fault.ts'
import type { NodeProcess } from './node-process.ts'

const ready = ({ running, paused }: NodeProcess): boolean => running && !paused

const names = (nodes: readonly NodeProcess[]): string => nodes.map(({ name }) => name).join(', ')

/** SIGKILL, down for a while, started again. */
const kill = async (chosen: readonly NodeProcess[], random: Random, how = 'killed'): Promise<Injected | undefined> => {
  const signal = how === 'killed' ? 'SIGKILL' : 'SIGTERM'
  const lastsMillis = between(random, 0, 3500)
  const victims = chosen.filter(({ running }) => running)
  if (victims.length === 0) return undefined
  await Promise.all(victims.map((node) => node.end(signal)))
  return {
    text: `${how} ${names(victims)}`,
    lastsMillis,
    heal: async () => {
      for (const node of victims) node.start()
    },
  }
}

/** SIGSTOP, and later SIGCONT: its connections stay, its clock goes on, and it still believes what it believed. */
const pause = async (victims: readonly NodeProcess[], random: Random): Promise<Injected | undefined> => {
  // Some shorter than an election takes, some longer than any time-out.
  const lastsMillis = random.next() < 0.4 ? between(random, 100, 800) : between(random, 800, 8000)
  const paused = victims
    .filter((node) => ready(node) && node.pause())
    .map((node) => ({ node, incarnation: node.incarnation }))
  if (paused.length === 0) return undefined
  return {
    text: `paused ${names(paused.map(({ node }) => node))}`,
    lastsMillis,
    heal: async () => {
      for (const { node, incarnation } of paused) if (node.incarnation === incarnation) node.resume()
    },
  }
}

/** Killed again while it recovers, several times. */
const storm = async ({ nodes }: Arena, random: Random): Promise<Injected> => {
  const victims = shuffled(random, nodes).slice(0, 1 + Math.floor(random.next() * 2))
  const times = 3 + Math.floor(random.next() * 3)
  const raging = (async () => {
    for (let left = times; left > 0; left--) {
      await Promise.all(victims.map((node) => node.end('SIGKILL')))
      for (const node of victims) node.start()
      await sleep(between(random, 50, 1200))
    }
  })()
  return {
    text: `restarted ${names(victims)} ${times} times in a row`,
    lastsMillis: 0,
    heal: async () => {
      await raging
      for (const node of victims) node.start()
    },
  }
}

/** One after the other, as an upgrade does it: closed, and started anew. */
const roll = async ({ nodes }: Arena, random: Random): Promise<Injected> => {
  const order = shuffled(random, nodes)
  const gap = between(random, 300, 1500)
  const rolling = (async () => {
    for (const node of order) {
      await node.end('SIGTERM')
      node.start()
      await sleep(gap)
    }
  })()
  return { text: `restarted ${names(order)}, one after the other`, lastsMillis: 0, heal: () => rolling }
}

const majority = ({ nodes }: Arena): number => Math.floor(nodes.length / 2) + 1

export const processFaults: readonly Fault[] = [
  {
    kind: 'kill',
    weight: 4,
    possible: always,
    inject: ({ nodes }, random) => kill([pick(random, nodes)], random),
  },
  {
    kind: 'kill-leader',
    weight: 4,
    possible: always,
    inject: (arena, random) => kill([leaderOrAnyone(arena, random)], random),
  },
  {
    kind: 'kill-majority',
    weight: 1,
    possible: always,
    inject: (arena, random) => kill(shuffled(random, arena.nodes).slice(0, majority(arena)), random),
  },
  { kind: 'kill-all', weight: 1, possible: always, inject: ({ nodes }, random) => kill(nodes, random) },
  {
    kind: 'terminate',
    weight: 2,
    possible: always,
    inject: (arena, random) => kill([leaderOrAnyone(arena, random)], random, 'closed'),
  },
  { kind: 'restart-storm', weight: 1, possible: always, inject: storm },
  { kind: 'rolling-restart', weight: 0.7, possible: always, inject: roll },
  {
    kind: 'pause',
    weight: 4,
    possible: always,
    inject: ({ nodes }, random) => pause([pick(random, nodes)], random),
  },
  {
    kind: 'pause-leader',
    weight: 4,
    possible: always,
    inject: (arena, random) => pause([leaderOrAnyone(arena, random)], random),
  },
  {
    kind: 'pause-majority',
    weight: 1,
    possible: always,
    inject: (arena, random) => pause(shuffled(random, arena.nodes).slice(0, majority(arena)), random),
  },
]
