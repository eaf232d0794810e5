/** What goes wrong while the service that is left is measured: at least one of every kind of fault that the simulator has. */
import type { Supports } from '@conclave/interface'
import type { FaultAction, FaultType, NodeNumber } from '../plan.ts'
import { jitter, type Setting } from './setting.ts'

/** Faults that last do so for so long. */
export const faultMillis = 2_000

/** Whom a fault may hit, as it stands when it strikes. */
export interface Cast {
  readonly setting: Setting
  readonly leader: NodeNumber
  /** In an order that the seed decides. */
  readonly followers: readonly [NodeNumber, ...NodeNumber[]]
  /** A node that is no member. */
  readonly spare: NodeNumber
}

/** What strikes, and so many milliseconds after the first. */
type Strike = FaultAction & { readonly after?: number }

export interface Disturbance {
  /** The kind of fault, as `conclave simulate --faults` knows it, and whom it hits. */
  readonly name: string
  readonly type: FaultType
  readonly about: string
  /** What the engine has to offer. */
  readonly needs?: keyof Supports
  strikes(cast: Cast): readonly Strike[]
}

const millis = faultMillis
const kill = { type: 'crash', kind: 'kill', downMillis: millis } as const

const weather = (
  { latencyMillis, loss }: Setting,
  { slower = 1, drop = loss, mess = 0 }: { readonly slower?: number; readonly drop?: number; readonly mess?: number },
): Strike => {
  const mean = latencyMillis * slower
  const delay = { least: mean * (1 - jitter), most: mean * (1 + jitter) }
  return { type: 'weather', weather: { drop, duplicate: mess, reorder: mess, delay }, millis }
}

const processes: readonly Disturbance[] = [
  {
    name: 'crash leader',
    type: 'crash',
    about: 'its process is killed, so its links are reset, and it is back after 2 s',
    strikes: ({ leader }) => [{ ...kill, node: leader }],
  },
  {
    name: 'crash leader, unnoticed',
    type: 'crash',
    about: 'its machine loses power, so nobody is told, and it is back after 2 s',
    strikes: ({ leader }) => [
      { type: 'isolate', node: leader, millis },
      { ...kill, kind: 'power', node: leader },
    ],
  },
  {
    name: 'crash follower',
    type: 'crash',
    about: 'its process is killed and is back after 2 s',
    strikes: ({ followers: [follower] }) => [{ ...kill, node: follower }],
  },
  {
    name: 'restart-storm',
    type: 'restart-storm',
    about: 'all nodes are killed and started again, three times, 0.7 s apart',
    strikes: () => [{ type: 'restart-storm', times: 3, kind: 'kill', everyMillis: 700 }],
  },
  {
    name: 'pause leader',
    type: 'pause',
    about: 'its process hangs for 2 s',
    strikes: ({ leader }) => [{ type: 'pause', node: leader, millis }],
  },
  {
    name: 'pause follower',
    type: 'pause',
    about: 'its process hangs for 2 s',
    strikes: ({ followers: [follower] }) => [{ type: 'pause', node: follower, millis }],
  },
]

const network: readonly Disturbance[] = [
  {
    name: 'isolate leader',
    type: 'isolate',
    about: 'no node reaches it, nor it any, for 2 s; clients do',
    strikes: ({ leader }) => [{ type: 'isolate', node: leader, millis }],
  },
  {
    name: 'isolate follower',
    type: 'isolate',
    about: 'the same of a follower',
    strikes: ({ followers: [follower] }) => [{ type: 'isolate', node: follower, millis }],
  },
  {
    name: 'partition',
    type: 'partition',
    about: 'each node alone for 2 s: nothing can be decided, and it shows how long the healing takes',
    strikes: ({ leader, followers }) => [
      { type: 'partition', groups: [leader, ...followers].map((node) => [node]), millis },
    ],
  },
  {
    name: 'one-way from leader',
    type: 'one-way',
    about: 'one follower does not hear the leader for 2 s',
    strikes: ({ leader, followers: [to] }) => [{ type: 'one-way', from: leader, to, millis }],
  },
  {
    name: 'one-way to leader',
    type: 'one-way',
    about: 'the leader does not hear one follower for 2 s',
    strikes: ({ leader, followers: [from] }) => [{ type: 'one-way', from, to: leader, millis }],
  },
  {
    name: 'leader deaf',
    type: 'one-way',
    about: 'the leader hears no node for 2 s, and all hear it',
    strikes: ({ leader, followers }) =>
      followers.map((from): Strike => ({ type: 'one-way', from, to: leader, millis })),
  },
  {
    name: 'leader mute',
    type: 'one-way',
    about: 'no node hears the leader for 2 s, and it hears all',
    strikes: ({ leader, followers }) => followers.map((to): Strike => ({ type: 'one-way', from: leader, to, millis })),
  },
  {
    name: 'reset',
    type: 'reset',
    about: 'the link of leader and one follower breaks, and is made again at once',
    strikes: ({ leader, followers: [follower] }) => [{ type: 'reset', a: leader, b: follower }],
  },
  {
    name: 'weather: loss',
    type: 'weather',
    about: '10 % of all messages are lost for 2 s',
    strikes: ({ setting }) => [weather(setting, { drop: Math.max(setting.loss, 0.1) })],
  },
  {
    name: 'weather: slow',
    type: 'weather',
    about: 'every message takes ten times as long for 2 s',
    strikes: ({ setting }) => [weather(setting, { slower: 10 })],
  },
  {
    name: 'weather: disorder',
    type: 'weather',
    about: '20 % of all messages arrive twice and 20 % late, overtaken by others, for 2 s',
    strikes: ({ setting }) => [weather(setting, { mess: 0.2 })],
  },
]

const disks: readonly Disturbance[] = [
  {
    name: 'disk-stall leader',
    type: 'disk-stall',
    about: 'no write to its disk ends for 2 s',
    strikes: ({ leader }) => [{ type: 'disk-stall', node: leader, millis }],
  },
  {
    name: 'disk-stall follower',
    type: 'disk-stall',
    about: 'the same of a follower',
    strikes: ({ followers: [follower] }) => [{ type: 'disk-stall', node: follower, millis }],
  },
  {
    name: 'disk-full leader',
    type: 'disk-full',
    about: 'its disk has no room for 2 s',
    strikes: ({ leader }) => [{ type: 'disk-full', node: leader, millis }],
  },
  {
    name: 'disk-fails leader',
    type: 'disk-fails',
    about: 'a sync fails: it stops by itself, and is started again 80 ms later',
    strikes: ({ leader }) => [{ type: 'disk-fails', node: leader, millis: 150 }],
  },
  {
    name: 'disk-corruption follower',
    type: 'disk-corruption',
    about: 'it is killed, refuses to start on a damaged journal, and is replaced after 0.2 s',
    needs: 'membership',
    strikes: ({ followers: [follower] }) => [{ type: 'disk-corruption', node: follower, downMillis: 100 }],
  },
  {
    name: 'disk-lost leader',
    type: 'disk-lost',
    about: 'it is gone for good and is replaced by another node at once',
    needs: 'membership',
    strikes: ({ leader }) => [{ type: 'disk-lost', node: leader }],
  },
]

const operator: readonly Disturbance[] = [
  {
    name: 'coup',
    type: 'coup',
    about: 'the leader is killed; who is elected next is cut off for 0.5 s, and all others restart',
    strikes: ({ leader }) => [
      { type: 'coup', on: 'election', afterMillis: 0, millis: 500, kind: 'kill' },
      { ...kill, node: leader },
    ],
  },
  {
    name: 'transfer',
    type: 'transfer',
    about: 'leadership is given to a follower',
    needs: 'transfer',
    strikes: ({ followers: [to] }) => [{ type: 'transfer', to }],
  },
  {
    name: 'add',
    type: 'add',
    about: 'a new node joins as a voter',
    needs: 'membership',
    strikes: ({ spare: node }) => [{ type: 'add', node, role: 'voter' }],
  },
  {
    name: 'promote',
    type: 'promote',
    about: 'a new node joins as a learner and becomes a voter 1 s later',
    needs: 'learners',
    strikes: ({ spare: node }) => [
      { type: 'add', node, role: 'learner' },
      { type: 'promote', node, after: 1_000 },
    ],
  },
  {
    name: 'remove leader',
    type: 'remove',
    about: 'the leader is removed from the members',
    needs: 'membership',
    strikes: ({ leader }) => [{ type: 'remove', node: leader }],
  },
]

/** In the order in which they are told. */
export const disturbances: readonly Disturbance[] = [...processes, ...network, ...disks, ...operator]

/** Those of these kinds. */
export const disturbancesOf = (faults: 'all' | readonly FaultType[]): readonly Disturbance[] =>
  disturbances.filter(({ type }) => faults === 'all' || faults.includes(type))

/** Those after which another has to lead: how long that takes is measured with more seeds. */
export const failovers: readonly string[] = [
  'crash leader',
  'crash leader, unnoticed',
  'pause leader',
  'isolate leader',
]
