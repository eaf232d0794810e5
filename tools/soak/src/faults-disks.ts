/** Disks that are full. */
import type { Random } from '@conclave/interface'
import { between, pick, shuffled } from './chance.ts'
import type { Arena, Fault, Injected } from './fault.ts'
import { leaderOrAnyone } from './fault.ts'
import type { NodeProcess } from './node-process.ts'

const canFill = ({ nodes }: Arena): boolean => nodes.every(({ disk }) => disk.canFill)

const fill = async (victims: readonly NodeProcess[], random: Random): Promise<Injected> => {
  const lastsMillis = between(random, 1500, 6000)
  const restarted = random.next() < 0.4
  await Promise.all(victims.map(({ disk }) => disk.fill()))
  // A journal has its next segments in reserve: one that starts needs a new one at once.
  if (restarted) {
    await Promise.all(victims.map((node) => node.end('SIGKILL')))
    for (const node of victims) node.start()
  }
  return {
    text: `filled the disk of ${victims.map(({ name }) => name)}${restarted ? ', and restarted on it' : ''}`,
    lastsMillis,
    heal: async () => {
      await Promise.all(victims.map(({ disk }) => disk.free()))
      for (const node of victims) node.start()
    },
  }
}

export const diskFaults: readonly Fault[] = [
  {
    kind: 'disk-full',
    weight: 2,
    possible: canFill,
    inject: (arena, random) =>
      fill(random.next() < 0.5 ? [leaderOrAnyone(arena, random)] : [pick(random, arena.nodes)], random),
  },
  {
    kind: 'disks-full',
    weight: 0.5,
    possible: canFill,
    inject: (arena, random) =>
      fill(shuffled(random, arena.nodes).slice(0, Math.floor(arena.nodes.length / 2) + 1), random),
  },
]
