import { seededRandom } from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import { pickWeighted, shuffled } from '../src/chance.ts'
import type { Arena } from '../src/fault.ts'
import { type FaultRecord, faultKinds, Nemesis } from '../src/nemesis.ts'
import type { Network, Trouble } from '../src/network.ts'
import type { NodeProcess } from '../src/node-process.ts'

/** A node that only notes what is done to it. */
const fakeNode = (name: string) => ({
  name,
  member: { name, id: `id-${name}` },
  running: true,
  paused: false,
  incarnation: 1,
  disk: { canFill: false },
  async end() {
    this.running = false
  },
  start() {
    this.running = true
  },
  pause() {
    this.paused = true
    return true
  },
  resume() {
    this.paused = false
  },
})

const fakeArena = () => {
  const nodes = ['n1', 'n2', 'n3', 'n4', 'n5'].map(fakeNode)
  const troubles = new Set<Trouble>()
  const network = {
    mode: 'netns',
    relayedLinks: [['n1', 'n2']],
    async trouble(more: readonly Trouble[]) {
      for (const trouble of more) troubles.add(trouble)
      return async () => {
        for (const trouble of more) troubles.delete(trouble)
      }
    },
    reset() {},
  }
  const arena: Arena = {
    nodes: nodes as unknown as readonly NodeProcess[],
    network: network as unknown as Network,
    leader: () => nodes[0] as unknown as NodeProcess,
  }
  return { arena, nodes, troubles }
}

/** The first faults of a seed. Told to end at once, it strikes once and heals without waiting. */
const firstRound = async (seed: number, kinds?: readonly string[]) => {
  const { arena, nodes, troubles } = fakeArena()
  const faults: FaultRecord[] = []
  const ending = new AbortController()
  const rounds = await new Nemesis({
    arena,
    seed,
    kinds,
    forMillis: 60_000,
    signal: ending.signal,
    probe: async () => 1,
    onFault: (fault) => {
      faults.push(fault)
      ending.abort()
    },
  }).run()
  return { faults, rounds, nodes, troubles }
}
const withoutTime = (faults: readonly FaultRecord[]) => faults.map(({ at: _, ...fault }) => fault)

describe('the nemesis', () => {
  test('does the same for the same seed, and other things for others', async () => {
    const seeds = Array.from({ length: 12 }, (_, seed) => seed)
    const once = await Promise.all(seeds.map((seed) => firstRound(seed)))
    const again = await Promise.all(seeds.map((seed) => firstRound(seed)))
    expect(again.map(({ faults }) => withoutTime(faults))).toEqual(once.map(({ faults }) => withoutTime(faults)))
    expect(new Set(once.flatMap(({ faults }) => faults.map(({ text }) => text))).size).toBeGreaterThan(6)
  })

  test('heals what it broke, whatever that was', async () => {
    for (let seed = 0; seed < 40; seed++) {
      const { nodes, troubles, faults, rounds } = await firstRound(seed)
      expect(rounds.flatMap((round) => round.faults).length, `seed ${seed}`).toBe(faults.length)
      expect(nodes.filter(({ running, paused }) => !running || paused)).toEqual([])
      expect([...troubles], `seed ${seed}: ${faults[0]?.text}`).toEqual([])
    }
  })

  test('keeps to the kinds that it is told', async () => {
    for (let seed = 0; seed < 10; seed++) {
      const { faults } = await firstRound(seed, ['one-way'])
      expect(faults.map(({ kind }) => kind)).toEqual(['one-way'])
    }
  })

  test('refuses to run when nothing is possible: an idle nemesis proves nothing', () => {
    const { arena } = fakeArena()
    const init = { arena, seed: 1, forMillis: 1, signal: new AbortController().signal }
    const make = () => new Nemesis({ ...init, kinds: ['disk-full'], probe: async () => 1, onFault: () => {} })
    expect(make).toThrow('none of the chosen faults is possible here')
  })

  test('has each kind once', () => expect(new Set(faultKinds).size).toBe(faultKinds.length))
})

describe('chance', () => {
  test('shuffles without losing anybody', () => {
    expect(shuffled(seededRandom(1), [1, 2, 3, 4]).sort()).toEqual([1, 2, 3, 4])
  })
  test('picks by weight', () => {
    const random = seededRandom(7)
    const picks = Array.from({ length: 1000 }, () => pickWeighted(random, [{ weight: 1 }, { weight: 9 }]).weight)
    expect(picks.filter((weight) => weight === 9).length).toBeGreaterThan(800)
    expect(new Set(picks).size).toBe(2)
  })
})
