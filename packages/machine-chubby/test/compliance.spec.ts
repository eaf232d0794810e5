import { machineCompliance } from '@conclave/compliance/machine'
import { epoch, type Random } from '@conclave/interface'
import { describe, test } from 'vitest'
import {
  type ChubbyCall,
  type ChubbyCommand,
  type ChubbyQuery,
  chubbyMachine,
  encodeCall,
  encodeCommand,
  encodeQuery,
  type LockMode,
} from '../src/index.ts'

const upTo = ({ next }: Random, most: number): number => Math.floor(next() * most)
const pick = <T>(random: Random, choices: readonly [T, ...T[]]): T =>
  choices[upTo(random, choices.length)] ?? choices[0]

/** Few sessions, handles and paths, so that commands meet. */
const command = (random: Random): ChubbyCommand => {
  const session = BigInt(upTo(random, 4))
  const handle = upTo(random, 4)
  const path = `/ls/cell/${pick(random, ['a', 'b', 'dir/c', 'acl/list'])}`
  const mode: LockMode = pick(random, ['exclusive', 'shared'])
  const lock = random.next() < 0.5 ? { lock: { mode, queue: random.next() < 0.7 } } : {}
  return pick<() => ChubbyCommand>(random, [
    () => ({ type: 'createSession', session, principal: `p${session}`, lease: 1000 }),
    () => ({ type: 'endSession', session }),
    () => ({
      type: 'open',
      session,
      handle,
      path,
      access: { read: true, write: random.next() < 0.9, changeAcl: random.next() < 0.5 },
      subscriptions: random.next() < 0.5 ? [] : ['contents', 'children', 'acquired', 'conflicting'],
      lockDelay: pick(random, [0, 0, 500]),
      create: pick(random, ['no', 'missing', 'missing', 'new']),
      kind: pick(random, ['file', 'file', 'directory']),
      ephemeral: random.next() < 0.3,
      parents: random.next() < 0.8,
      contents: new Uint8Array(0),
      ...lock,
    }),
    () => ({ type: 'close', session, handle }),
    () => ({ type: 'acquire', session, handle, mode, queue: random.next() < 0.5 }),
    () => ({ type: 'release', session, handle }),
    () => ({ type: 'write', session, handle, contents: new Uint8Array(upTo(random, 300)).fill(upTo(random, 256)) }),
    () => ({ type: 'setAcl', session, handle, acl: { read: '', write: pick(random, ['', 'list']), changeAcl: '' } }),
    () => ({ type: 'delete', session, handle }),
    () => ({ type: 'raiseToken', session, above: BigInt(upTo(random, 50)) }),
    () => ({ type: 'expire', session, epoch: epoch(BigInt(upTo(random, 3))) }),
    () => ({ type: 'lift', epoch: epoch(BigInt(upTo(random, 3))) }),
  ])()
}

const query = (random: Random): ChubbyQuery =>
  pick<ChubbyQuery>(random, [
    { type: 'stat', path: '/ls/cell/a' },
    { type: 'file', path: '/ls/cell/dir/c' },
    { type: 'children', path: '/ls/cell', after: '', limit: 10 },
    { type: 'sessions', after: 0n, limit: 10 },
    { type: 'session', session: 1n, after: 0 },
    { type: 'locks', prefix: '/ls', after: '', limit: 10 },
    { type: 'info' },
  ])

const call = (random: Random): ChubbyCall => {
  const session = BigInt(upTo(random, 4))
  return pick<ChubbyCall>(random, [
    { type: 'keepAlive', session, epoch: epoch(BigInt(upTo(random, 30))), acked: upTo(random, 5) },
    { type: 'read', session, path: '/ls/cell/a' },
    { type: 'query', local: random.next() < 0.5, query: query(random) },
  ])
}

machineCompliance({
  name: 'chubby',
  machine: chubbyMachine,
  command: (random) => encodeCommand(command(random)),
  query: (random) => encodeQuery(query(random)),
  ask: (random) => encodeCall(call(random)),
  malformed: [new Uint8Array(), Uint8Array.of(0), Uint8Array.of(14), Uint8Array.of(1, 1), Uint8Array.of(4, 1, 2, 3)],
}).register({ describe, test })
