import {
  type Decided,
  type Effects,
  encodeBatch,
  encodeBlock,
  epoch,
  type JournalOp,
  type LogTime,
  type NodeId,
  nodeId,
  position,
  type Status,
  sessionCommands,
  slot,
  snapshotId,
  writeId,
} from '@conclave/interface'
import { type Invariant, invariants, type Observation } from '@conclave/simulator'
import { describe, expect, test } from 'vitest'
import { Ledger } from '../src/ledger.ts'

const [a, b] = [nodeId('a'), nodeId('b')]
const noSupports = { snapshots: true, reads: true, membership: false, learners: false, transfer: false, leases: false }

const status = (node: NodeId, term: bigint, decided = 0): Status => ({
  role: 'any',
  leading: false,
  epoch: epoch(term),
  decided: position(decided),
  last: position(decided),
  snapshot: position(0),
  membership: { members: [{ id: node, name: node, addresses: [], role: 'voter' }] },
  self: 'voter',
  malformed: 0,
  detail: {},
})

/** Begins a life of a node with an empty journal, or with these entries. */
const started = (node: NodeId, entries: readonly Uint8Array[] = [], snapshot?: number): Observation => ({
  type: 'started',
  node,
  life: 1,
  version: 2,
  supports: noSupports,
  torn: false,
  recovered: {
    entries: entries.map((bytes, at) => ({ slot: slot(at + 1 + (snapshot ?? 0)), bytes })),
    ...(snapshot !== undefined && {
      snapshot: { id: snapshotId('s'), position: position(snapshot), header: new Uint8Array(0) },
    }),
  },
})

const drained = (node: NodeId, term: bigint, effects: Partial<Effects>, decided?: number): Observation => ({
  type: 'drained',
  node,
  effects: { send: [], decide: [], settle: [], ...effects },
  status: status(node, term, decided ?? effects.decide?.at(-1)?.position),
})

/** An entry of this term: its first byte says so. */
const entry = (term: number, what: number): Uint8Array => Uint8Array.of(term, what)
const put = (at: number, bytes: Uint8Array): JournalOp => ({ type: 'put', slot: slot(at), bytes: [bytes] })
const writes = (...ops: JournalOp[]): Partial<Effects> => ({ write: { id: writeId(1), ops } })
const noop = (at: number, term: bigint): Decided => ({ type: 'noop', position: position(at), epoch: epoch(term) })

const encoder = new TextEncoder()
const block = (session: bigint, serial: number, what: string): Uint8Array =>
  encodeBlock(session, 0, [{ serial, machine: 1, bytes: encoder.encode(what) }])
const opened = encodeBlock(7n, 0, [{ serial: 0, machine: 0, bytes: Uint8Array.of(sessionCommands.open) }])
const batch = (at: number, ...blocks: Uint8Array[]): Decided => ({
  type: 'batch',
  position: position(at),
  epoch: epoch(1n),
  batch: encodeBatch(0 as LogTime, blocks),
})
const applied = (node: NodeId, at: number, command: string, reply = 'done'): Observation => ({
  type: 'applied',
  node,
  position: at,
  command: encoder.encode(command),
  reply: encoder.encode(reply),
})
const state = (node: NodeId, at: number, hash: string): Observation => ({
  type: 'state',
  node,
  position: at,
  hash,
  restored: false,
})
const acknowledged = (serial: number, command: string, reply = 'done'): Observation => ({
  type: 'acknowledged',
  client: 1,
  session: 7n,
  serial,
  command: encoder.encode(command),
  reply: encoder.encode(reply),
})
const read = (level: 'linearizable' | 'local', revision: bigint, least: bigint, life = 1): Observation => ({
  type: 'read',
  client: 1,
  node: a,
  level,
  life,
  revision,
  least,
})

const watch = (name: string, observations: readonly Observation[]): string[] => {
  const found: Invariant | undefined = invariants.find((invariant) => invariant.name === name)
  if (found === undefined) throw new Error(`there is no invariant ${name}`)
  const told: string[] = []
  const ledger = new Ledger((bytes) => BigInt(bytes[0] ?? 0))
  const see = found.watch((what) => told.push(what), ledger)
  for (const observation of observations) {
    ledger.see(observation)
    see(observation)
  }
  return told
}

const holds = (name: string, ...observations: Observation[]): void => {
  expect(watch(name, observations)).toEqual([])
}
const breaks = (name: string, what: RegExp, ...observations: Observation[]): void => {
  expect(watch(name, observations).join('\n')).toMatch(what)
}

const elected = (node: NodeId, term: bigint): Partial<Effects> => ({ leader: { epoch: epoch(term), id: node } })

describe('every invariant', () => {
  test('has a name of its own, and says where it is stated', () => {
    expect(new Set(invariants.map(({ name }) => name)).size).toBe(invariants.length)
    for (const { source } of invariants) expect(source).toMatch(/section|figure/)
  })
})

describe('election safety', () => {
  test('one leader in an epoch, told by many; another in another', () => {
    holds(
      'election safety',
      drained(a, 1n, elected(a, 1n)),
      drained(b, 1n, elected(a, 1n)),
      drained(b, 2n, elected(b, 2n)),
    )
  })
  test('two leaders in one epoch', () => {
    breaks(
      'election safety',
      /b leads epoch 1, which a led/,
      drained(a, 1n, elected(a, 1n)),
      drained(b, 1n, elected(b, 1n)),
    )
  })
})

describe('log matching', () => {
  const sound = [
    started(a),
    started(b),
    drained(a, 1n, writes(put(1, entry(1, 1)), put(2, entry(1, 2)))),
    drained(b, 1n, writes(put(1, entry(1, 1)))),
  ]
  test('the same entries below an entry of the same index and term, also after a truncation', () => {
    holds(
      'log matching',
      ...sound,
      drained(b, 2n, writes(put(2, entry(2, 9)))),
      drained(b, 3n, writes({ type: 'truncateFrom', slot: slot(2) }, put(2, entry(1, 2)))),
      started(b, [entry(1, 1), entry(1, 2)]),
    )
  })
  test('another entry of the same index and term', () => {
    breaks('log matching', /slot 2/, ...sound, drained(b, 1n, writes(put(2, entry(1, 9)))))
  })
  test('the same entry above another one', () => {
    breaks('log matching', /slot 2/, ...sound, drained(b, 1n, writes(put(1, entry(0, 9)), put(2, entry(1, 2)))))
  })
  test('a journal that comes back with another entry', () => {
    breaks('log matching', /slot 1/, ...sound, started(b, [entry(1, 7)]))
  })
})

describe('leader completeness', () => {
  const decided = [started(a), started(b), drained(a, 1n, { ...writes(put(1, entry(1, 1))), decide: [noop(1, 1n)] })]
  test('a later leader that has what was decided', () => {
    holds(
      'leader completeness',
      ...decided,
      drained(b, 1n, writes(put(1, entry(1, 1)))),
      drained(b, 2n, { ...writes(put(2, entry(2, 2))), ...elected(b, 2n) }),
    )
  })
  test('a later leader without it', () => {
    breaks('leader completeness', /without position 1/, ...decided, drained(b, 2n, elected(b, 2n)))
  })
  test('a later leader with something else in its place', () => {
    breaks(
      'leader completeness',
      /another log up to position 1/,
      ...decided,
      drained(b, 2n, { ...writes(put(1, entry(2, 2))), ...elected(b, 2n) }),
    )
  })
  test('a decision of an old reign, told after a leader was elected without it', () => {
    const [begin, other, decision] = decided
    if (begin === undefined || other === undefined || decision === undefined) throw new Error('three steps')
    breaks('leader completeness', /without position 1/, begin, other, drained(b, 2n, elected(b, 2n)), decision)
  })
})

describe('agreement', () => {
  test('the same at a position', () => {
    holds('agreement', started(a), drained(a, 1n, { decide: [noop(1, 1n)] }), drained(b, 1n, { decide: [noop(1, 1n)] }))
  })
  test('something else at a position', () => {
    breaks(
      'agreement',
      /at position 1/,
      drained(a, 1n, { decide: [noop(1, 1n)] }),
      drained(b, 1n, { decide: [noop(1, 2n)] }),
    )
  })
  test('a position beyond one that nobody has decided', () => {
    breaks('agreement', /nobody had decided position 1/, drained(a, 1n, { decide: [noop(2, 1n)] }))
  })
})

describe('state machine safety', () => {
  test('the same commands in the same order, again in another life', () => {
    const all = [applied(a, 1, 'x'), applied(a, 1, 'y'), applied(a, 2, 'z')]
    holds('state machine safety', ...all, started(a), ...all, applied(b, 1, 'x'), applied(b, 1, 'y'))
  })
  test('another command, or another order', () => {
    breaks('state machine safety', /another command/, applied(a, 1, 'x'), applied(b, 1, 'y'))
    breaks('state machine safety', /another command/, applied(a, 1, 'x'), applied(a, 1, 'y'), applied(b, 1, 'y'))
  })
  test('more commands than others had', () => {
    breaks('state machine safety', /number 2/, applied(a, 1, 'x'), applied(b, 1, 'x'), applied(b, 1, 'x'))
  })
})

describe('monotonic commit', () => {
  const names = (at: number): Partial<Effects> => ({
    write: {
      id: writeId(1),
      ops: [{ type: 'snapshot', id: snapshotId('s'), position: position(at), header: new Uint8Array(0) }],
    },
  })
  test('one after the other, and from a snapshot on', () => {
    holds(
      'monotonic commit',
      started(a),
      drained(a, 1n, { decide: [noop(1, 1n), noop(2, 1n)] }),
      drained(a, 1n, { restore: { id: snapshotId('s'), position: position(5), epoch: epoch(1n) } }, 5),
      drained(a, 1n, { decide: [noop(6, 1n)] }),
    )
  })
  test('a position twice, or one left out', () => {
    breaks('monotonic commit', /1 after position 1/, started(a), drained(a, 1n, { decide: [noop(1, 1n), noop(1, 1n)] }))
    breaks('monotonic commit', /2 after position 0/, started(a), drained(a, 1n, { decide: [noop(2, 1n)] }))
  })
  test('a commit position that falls', () => {
    breaks(
      'monotonic commit',
      /0 is decided, after 1/,
      started(a),
      drained(a, 1n, { decide: [noop(1, 1n)] }),
      drained(a, 1n, {}, 0),
    )
  })
  test('a snapshot that was durable and is gone in the next life; one that was not durable may be', () => {
    holds('monotonic commit', started(a), drained(a, 1n, names(3), 0), started(a))
    breaks(
      'monotonic commit',
      /though one at 3 was durable/,
      started(a),
      drained(a, 1n, names(3), 0),
      { type: 'durable', node: a, write: 1 },
      started(a),
    )
  })
})

describe('exactly-once sessions', () => {
  const once = [
    started(a),
    drained(a, 1n, { decide: [batch(1, opened, block(7n, 1, 'x')), batch(2, block(7n, 1, 'x'), block(7n, 2, 'y'))] }),
    applied(a, 1, 'x'),
  ]
  test('a command that was decided twice is applied once', () => {
    holds('exactly-once sessions', ...once, applied(a, 2, 'y'), state(a, 2, 'h'), acknowledged(1, 'x'))
  })
  test('and not twice', () => {
    breaks('exactly-once sessions', /at position 2/, ...once, applied(a, 2, 'x'))
  })
  test('nor never', () => {
    breaks(
      'exactly-once sessions',
      /0 of the 1 commands of position 2|not the next one|position 2/,
      ...once,
      applied(a, 2, 'z'),
    )
    breaks(
      'exactly-once sessions',
      /applied 1 of the 2/,
      started(a),
      drained(a, 1n, {
        decide: [batch(1, opened, block(7n, 1, 'x'), block(7n, 2, 'y'))],
      }),
      applied(a, 1, 'x'),
      state(a, 1, 'h'),
    )
  })
  test('without an open session nothing is applied', () => {
    breaks(
      'exactly-once sessions',
      /never decided there/,
      started(a),
      drained(a, 1n, { decide: [batch(1, block(7n, 1, 'x'))] }),
      applied(a, 1, 'x'),
    )
  })
  test('everybody answers the same, and so does the client hear', () => {
    breaks('exactly-once sessions', /otherwise than a/, ...once, started(b), applied(b, 1, 'x', 'refused'))
    breaks('exactly-once sessions', /another reply/, ...once, acknowledged(1, 'x', 'refused'))
  })
})

describe('equal states', () => {
  test('at equal positions', () => {
    holds('equal states', state(a, 1, 'h'), state(b, 1, 'h'), state(b, 2, 'i'))
    breaks('equal states', /at position 1 the state of b/, state(a, 1, 'h'), state(b, 1, 'i'))
  })
})

describe('no lost acknowledgement', () => {
  const decided = [started(a), drained(a, 1n, { decide: [batch(1, opened), batch(2, block(7n, 1, 'x'))] })]
  const finished = (at: number): Observation => ({
    type: 'finished',
    nodes: [{ node: a, position: at, hash: 'h' }],
    broken: { nodes: 0, links: 0 },
  })
  test('what was acknowledged was decided, and everybody has it in the end', () => {
    holds('no lost acknowledgement', ...decided, acknowledged(1, 'x'), finished(2))
  })
  test('an acknowledgement of what nobody decided', () => {
    breaks('no lost acknowledgement', /nobody decided it/, ...decided, acknowledged(2, 'y'))
  })
  test('a node that ends without it', () => {
    breaks('no lost acknowledgement', /ends at position 1, though 2/, ...decided, acknowledged(1, 'x'), finished(1))
  })
  test('a read that is older than what was acknowledged before it', () => {
    holds('no lost acknowledgement', read('linearizable', 3n, 3n), read('local', 1n, 3n))
    breaks('no lost acknowledgement', /returned revision 2, though 3/, read('linearizable', 2n, 3n))
  })
  test('a local read never goes back within a life', () => {
    holds('no lost acknowledgement', read('local', 3n, 0n), read('local', 2n, 0n, 2))
    breaks('no lost acknowledgement', /revision 2 after 3/, read('local', 3n, 0n), read('local', 2n, 0n))
  })
})
