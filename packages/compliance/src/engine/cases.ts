import assert from 'node:assert/strict'
import { AssertionFailed, type NodeId, type SnapshotId } from '@conclave/interface'
import { type Draw, drawOf, hex, mangled } from '../draw.ts'
import { eachSeed, type SuiteTest } from '../suite.ts'
import { Cell } from './cell.ts'
import type { EngineNode } from './node.ts'
import type { EngineSubject } from './subject.ts'

const others = (cell: Cell, but: EngineNode): EngineNode[] => cell.nodes.filter((node) => node !== but)

/** A cell of its own, with a leader; what was found in it counts at the end. */
export const inCell = (
  subject: EngineSubject,
  name: string,
  body: (cell: Cell, leader: EngineNode) => void,
  options: ConstructorParameters<typeof Cell>[2] = {},
): SuiteTest => ({
  name,
  run: async () => {
    const cell = new Cell(subject, 1, options)
    body(cell, cell.elect())
    cell.assertClean()
  },
})

export const decided = (cell: Cell, leader: EngineNode, text: string): void => {
  const id = cell.propose(leader, text)
  cell.settle()
  assert.equal(cell.outcome(leader, id)?.type, 'decided', `"${text}" is not decided by a leader whom everybody follows`)
}

export const basics = (subject: EngineSubject): readonly SuiteTest[] => [
  {
    name: 'name and contract: as they stand in configurations',
    run: async () => {
      assert.match(subject.factory.name, /^[a-z][0-9a-z-]{0,31}$/)
      assert.equal(subject.factory.contract, 1)
    },
  },
  inCell(subject, 'propose: decided at the leader, told to every node, in one order', (cell, leader) => {
    for (let at = 0; at < 20; at++) decided(cell, leader, `entry ${at}`)
    cell.pass(20)
    for (const node of cell.nodes) {
      const batches = node.log.flatMap((one) => (one.type === 'batch' ? [Buffer.from(one.batch).toString()] : []))
      assert.deepEqual(
        batches,
        Array.from({ length: 20 }, (_, at) => `entry ${at}`),
        `what ${node.id} decided`,
      )
    }
  }),
  inCell(
    subject,
    'propose: a founder alone decides, once its own write is durable',
    (cell, leader) => {
      decided(cell, leader, 'alone')
      leader.holdSyncs = true
      const id = cell.propose(leader, 'not durable')
      cell.pass(50)
      assert.equal(cell.outcome(leader, id), undefined, 'an entry was decided that is on no disk')
      leader.holdSyncs = false
      cell.pass(5)
      assert.equal(cell.outcome(leader, id)?.type, 'decided')
    },
    { nodes: 1 },
  ),
  inCell(subject, 'propose: who does not lead refuses, at once and definitely', (cell, leader) => {
    for (const node of others(cell, leader)) {
      const id = cell.propose(node, `at ${node.id}`)
      assert.deepEqual(cell.outcome(node, id), { type: 'refused', reason: 'not-leader' })
    }
    cell.pass(50)
  }),
  inCell(subject, 'tick: with a quiet network and a leader nobody else campaigns', (cell, leader) => {
    const { epoch } = leader.status
    cell.pass(300)
    assert.deepEqual(
      cell.nodes.map(({ status }) => [status.epoch, status.leader]),
      cell.nodes.map(() => [epoch, leader.id]),
    )
  }),
  inCell(subject, 'disk full: proposals are refused, until there is room again', (cell, leader) => {
    leader.turn(cell.now, { type: 'disk', state: 'full' })
    const id = cell.propose(leader, 'no room')
    assert.equal(cell.outcome(leader, id)?.type, 'refused')
    for (const node of cell.nodes) node.turn(cell.now, { type: 'disk', state: 'ok' })
    cell.pass(100)
    decided(cell, cell.elect(), 'room')
  }),
  inCell(
    subject,
    'undecidedBytes: proposals beyond it are refused as overloaded',
    (cell, leader) => {
      cell.cut = () => true
      const ids = Array.from({ length: 30 }, (_, at) => cell.propose(leader, `${at} ${'x'.repeat(100)}`))
      const refused = ids.filter((id) => cell.outcome(leader, id)?.type === 'refused')
      assert.ok(
        refused.length >= 20,
        `of 3,000 bytes with a limit of 1,000, ${refused.length} of 30 proposals were refused`,
      )
      assert.deepEqual(cell.outcome(leader, refused[0] ?? assert.fail('none refused')), {
        type: 'refused',
        reason: 'overloaded',
      })
    },
    { limits: { undecidedBytes: 1000 } },
  ),
  inCell(
    subject,
    'describe: a message in a few words; never throws; undefined if it does not parse',
    (cell, leader) => {
      const { describe } = subject.factory
      if (describe === undefined) return
      cell.propose(leader, 'told')
      leader.sync(cell.now)
      assert.ok(cell.flying.length > 0)
      const draw = drawOf(1)
      for (const { message } of cell.flying) {
        assert.match(describe(message) ?? '', /\S/, 'a message of the engine has no description')
        for (let at = 0; at < 50; at++) describe(mangled(draw, message))
      }
      assert.equal(describe(new Uint8Array()), undefined)
    },
  ),
]

// ---- the durability rule ------------------------------------------------------------------------------------------------------------

export const durability = (subject: EngineSubject): readonly SuiteTest[] => [
  {
    name: 'the durability rule: nobody is elected by votes that are on no disk, but its own',
    run: async () => {
      for (const number of [0, 1, 2]) {
        const cell = new Cell(subject, 1 + number)
        const [candidate] = cell.nodes.splice(number, 1)
        if (candidate === undefined) return
        cell.nodes.unshift(candidate)
        const voters = others(cell, candidate)
        for (const node of voters) node.holdSyncs = true
        for (let tick = 0; tick < 200; tick++) {
          cell.tick([candidate])
          cell.settle()
          assert.ok(!candidate.status.leading, `${candidate.id} leads, and nobody else has a vote on disk`)
        }
        for (const node of voters) node.holdSyncs = false
        cell.elect()
        cell.assertClean()
      }
    },
  },
  {
    name: 'the durability rule: nobody is elected while no disk answers',
    run: async () => {
      const cell = new Cell(subject, 1)
      for (const node of cell.nodes) node.holdSyncs = true
      cell.pass(200)
      for (const node of cell.nodes) assert.ok(!node.status.leading, `${node.id} leads, and no vote is durable`)
      for (const node of cell.nodes) node.holdSyncs = false
      cell.elect()
      cell.assertClean()
    },
  },
  inCell(
    subject,
    'the durability rule: acknowledgements wait for the disk: nothing is decided that only the leader has durable',
    (cell, leader) => {
      for (const node of others(cell, leader)) node.holdSyncs = true
      const id = cell.propose(leader, 'on one disk')
      cell.pass(5)
      assert.equal(cell.outcome(leader, id), undefined, 'an entry was decided that is on one disk of three')
      const [lucky] = others(cell, leader)
      if (lucky !== undefined) lucky.holdSyncs = false
      cell.pass(5)
      assert.equal(cell.outcome(leader, id)?.type, 'decided', 'an entry on two disks of three is not decided')
    },
  ),
  inCell(subject, 'the durability rule: the leader’s own vote for an entry is its persisted', (cell, leader) => {
    const [first, second] = others(cell, leader)
    leader.holdSyncs = true
    if (first !== undefined) first.holdSyncs = true
    const id = cell.propose(leader, 'not on the leader’s disk')
    cell.pass(3)
    assert.equal(cell.outcome(leader, id), undefined, `an entry was decided that only ${second?.id} has on disk`)
  }),
  {
    name: 'the durability rule: a duplicate that arrives while its first write is in flight is acknowledged after that write, not before',
    run: async () => {
      const cell = new Cell(subject, 1)
      const leader = cell.elect()
      const followers = others(cell, leader)
      for (const node of followers) node.holdSyncs = true
      const id = cell.propose(leader, 'twice')
      for (let round = 0; round < 4; round++) {
        leader.sync(cell.now)
        const flying = cell.flying.splice(0)
        for (const message of flying) {
          cell.deliver(message)
          cell.deliver(message)
        }
        cell.tick()
      }
      assert.equal(cell.outcome(leader, id), undefined, 'a duplicate was acknowledged before its entry was durable')
      for (const node of followers) node.holdSyncs = false
      cell.pass(5)
      assert.equal(cell.outcome(leader, id)?.type, 'decided')
      cell.assertClean()
    },
  },
  {
    name: 'create: from every prefix of what was written, an engine starts, and its status says what it has',
    run: async () => {
      const cell = new Cell(subject, 1, { limits: { tailBytes: 200 } })
      const leader = cell.elect()
      for (let at = 0; at < 15; at++) {
        decided(cell, leader, `entry ${at}`)
        if (at % 6 === 5) for (const node of cell.nodes) node.capture(cell.now)
        cell.pass(1)
      }
      for (const node of cell.nodes) restartEverywhere(cell, node)
      cell.assertClean()
    },
  },
  {
    name: 'create: what was promised before a restart is kept: an epoch has one leader, though a voter restarts in between',
    run: async () => {
      for (let seed = 1; seed <= 20; seed++) rivals(new Cell(subject, seed))
    },
  },
  {
    name: 'what was acknowledged survives the loss of power of all nodes at once',
    run: async () => {
      const cell = new Cell(subject, 1)
      const leader = cell.elect()
      for (let at = 0; at < 10; at++) decided(cell, leader, `entry ${at}`)
      for (let at = 0; at < 5; at++) cell.propose(leader, `late ${at}`)
      for (const node of [...cell.nodes]) node.crash(0)
      cell.flying = []
      for (const node of [...cell.nodes]) cell.restart(node)
      decided(cell, cell.elect(), 'after the night')
      const [node] = cell.nodes
      const batches =
        node?.log.flatMap((one) => (one.type === 'batch' ? [Buffer.from(one.batch).toString()] : [])) ?? []
      assert.deepEqual(
        batches.slice(0, 10),
        Array.from({ length: 10 }, (_, at) => `entry ${at}`),
      )
      cell.assertClean()
    },
  },
]

/**
 * Two nodes elect one of them, which is for the engine to choose; the other restarts. A third, which knows nothing of that, meets only the one that restarted.
 */
const rivals = (cell: Cell): void => {
  const [first, second, third] = cell.nodes
  if (first === undefined || second === undefined || third === undefined) return
  const before = electAmong(cell, [first, second])
  assert.ok(before !== undefined, `${first.id} and ${second.id} elect neither of them`)
  const voter = before === first ? second : first
  voter.crash(voter.unsynced)
  const after = electAmong(cell, [third, cell.restart(voter)])
  const [one, other] = [before.status.epoch, after?.status.epoch]
  assert.ok(one !== other, `${before.id} and ${after?.id} both lead in epoch ${one}`)
  cell.assertClean()
}

/** Only these two reach each other. Until one leads, and not a message more: what it says as a leader reaches nobody. */
const electAmong = (cell: Cell, pair: readonly [EngineNode, EngineNode]): EngineNode | undefined => {
  const ids = pair.map(({ id }) => id)
  cell.cut = (from, to) => !(ids.includes(from) && ids.includes(to))
  const leader = (): EngineNode | undefined => pair.find(({ status }) => status.leading)
  for (let tick = 0; tick < 300 && leader() === undefined; tick++) {
    cell.tick(pair)
    while (leader() === undefined && (cell.flying.length > 0 || pair.some(({ unsynced }) => unsynced > 0))) {
      for (const node of pair) node.sync(cell.now)
      const next = cell.flying.shift()
      if (next !== undefined) cell.deliver(next)
    }
  }
  cell.flying = []
  return leader()
}

const restartEverywhere = (cell: Cell, { id, writes }: EngineNode): void => {
  const lone = cell.alone(id)
  for (let prefix = 0; prefix <= writes.length; prefix++) {
    const last = writes[prefix - 1]
    if (last !== undefined) lone.apply(last.ops)
    const node = lone.start()
    assert.ok(node.alive, `${id} does not start from the first ${prefix} of its ${writes.length} writes`)
    const { snapshot } = lone.disk.state
    const { status } = node
    assert.equal(
      status.snapshot,
      snapshot?.position ?? 0,
      `after ${prefix} writes the snapshot is at ${status.snapshot}`,
    )
    assert.ok(!status.leading || cell.nodes.length === 1, 'a node that has just started leads')
    for (let tick = 0; tick < 5; tick++) node.turn(cell.now, { type: 'tick' })
  }
}

// ---- malformed messages -------------------------------------------------------------------------------------------------------------

/** Messages as they are really sent, of all kinds that a leader and a snapshot bring about. */
const traffic = (subject: EngineSubject, seed: number): Uint8Array[] => {
  const cell = new Cell(subject, seed, { limits: { tailBytes: 200 } })
  const seen: Uint8Array[] = []
  cell.cut = () => {
    for (const { message } of cell.flying) if (seen.length < 2000) seen.push(message)
    return false
  }
  const leader = cell.elect()
  for (let at = 0; at < 10; at++) cell.propose(leader, `entry ${at}`)
  cell.pass(20)
  leader.crash(0)
  cell.pass(100)
  return seen
}

export const malformed = (subject: EngineSubject, seeds: readonly number[]): readonly SuiteTest[] => [
  {
    name: 'receive: a malformed message is dropped and counted in Status.malformed, never thrown',
    run: () =>
      eachSeed(seeds, (seed) => {
        const draw = drawOf(seed)
        const cell = new Cell(subject, seed)
        const leader = cell.elect()
        for (const node of [leader, ...others(cell, leader)]) {
          const before = node.status.malformed
          for (const message of [new Uint8Array(), draw.bytes(64), draw.bytes(3)]) receive(cell, node, message, draw)
          assert.ok(node.status.malformed > before, `${node.id} counted none of three that no engine can have sent`)
        }
        cell.assertClean()
      }),
  },
  {
    name: 'receive: a message that was cut short or changed on its way is dropped too; one that still parses, and lies, may stop the node by AssertionFailed, by nothing else',
    run: () =>
      eachSeed(seeds, (seed) => {
        const draw = drawOf(seed)
        const messages = traffic(subject, seed)
        let cell = new Cell(subject, seed)
        cell.elect()
        for (let at = 0; at < 1000; at++) {
          const message = messages[draw.below(messages.length)] ?? new Uint8Array()
          const wrong = draw.chance(0.4) ? message.slice(0, draw.below(message.length)) : mangled(draw, message)
          const node = cell.nodes[draw.below(cell.nodes.length)]
          if (node === undefined || tolerates(cell, node, wrong, draw)) continue
          cell = new Cell(subject, seed + at)
          cell.elect()
        }
      }),
  },
  inCell(subject, 'receive: bytes at random do not disturb a cluster', (cell, leader) => {
    const draw = drawOf(7)
    const { epoch } = leader.status
    for (let round = 0; round < 100; round++) {
      for (const node of cell.nodes) receive(cell, node, new Uint8Array(draw.below(3)), draw)
      decided(cell, leader, `entry ${round}`)
    }
    assert.equal(leader.status.epoch, epoch)
  }),
  inCell(subject, 'snapshotOffered: a malformed header is declined, never thrown', (cell, leader) => {
    const draw = drawOf(3)
    const [node] = others(cell, leader)
    for (let at = 0; at < 50 && node !== undefined; at++) {
      const effects = node.turn(cell.now, { type: 'snapshotOffered', from: leader.id, header: draw.bytes(at) })
      assert.deepEqual(effects?.answerSnapshot, [{ from: leader.id, accept: false }], `a header of ${at} random bytes`)
    }
  }),
]

/** As if it came from another member, or from nobody that is known. */
const receive = (cell: Cell, node: EngineNode, message: Uint8Array, draw: Draw): void => {
  const from: NodeId = cell.nodes[draw.below(cell.nodes.length)]?.id ?? node.id
  const sender = from === node.id ? ('n9' as NodeId) : from
  node.turn(cell.now, { type: 'receive', from: sender, message: new Uint8Array(message) })
}

/** False if the engine took it for a lie. @throws Error if it threw anything else. */
const tolerates = (cell: Cell, node: EngineNode, message: Uint8Array, draw: Draw): boolean => {
  receive(cell, node, message, draw)
  if (node.alive) return true
  assert.ok(
    node.thrown instanceof AssertionFailed,
    `the message ${hex(message)} made the engine throw ${String(node.thrown)}`,
  )
  return false
}

// ---- snapshots ----------------------------------------------------------------------------------------------------------------------

export const snapshots = (subject: EngineSubject): readonly SuiteTest[] => [
  inCell(subject, 'captured: named in the write of this drain, compacted below, and found again', (cell, leader) => {
    for (let at = 0; at < 10; at++) decided(cell, leader, `entry ${at}`)
    const position = leader.decidedPosition
    leader.capture(cell.now)
    assert.equal(leader.status.snapshot, position)
    cell.settle()
    assert.equal(leader.disk.state.snapshot?.position, position)
    assert.ok(
      leader.disk.state.entries.every(({ slot }) => slot > position),
      'what the snapshot stands for is still in the journal',
    )
    decided(cell, leader, 'goes on')
  }),
  inCell(
    subject,
    'sendSnapshot, snapshotOffered, snapshotReceived, restore: a node that lags behind the tail gets a snapshot and goes on from there',
    (cell, leader) => {
      const [away] = others(cell, leader)
      if (away === undefined) return
      cell.cut = (from, to) => from === away.id || to === away.id
      for (let at = 0; at < 40; at++) decided(cell, leader, `entry ${at} ${'x'.repeat(40)}`)
      for (const node of others(cell, away)) node.capture(cell.now)
      cell.settle()
      cell.cut = () => false
      cell.until('the node that was away has caught up', () => away.decidedPosition >= leader.decidedPosition)
      assert.ok(away.disk.state.snapshot !== undefined, 'no snapshot was installed')
      decided(cell, cell.elect(), 'together again')
    },
    { limits: { tailBytes: 300 } },
  ),
  inCell(
    subject,
    'snapshotOffered: one that is not newer than what is decided here is declined, and takes nothing back',
    (cell, leader) => {
      for (let at = 0; at < 5; at++) decided(cell, leader, `entry ${at}`)
      leader.capture(cell.now)
      cell.settle()
      const header = leader.disk.state.snapshot?.header
      cell.pass(10)
      const [node] = others(cell, leader)
      if (node === undefined || header === undefined) assert.fail('no snapshot')
      const before = node.decidedPosition
      const effects = node.turn(cell.now, { type: 'snapshotOffered', from: leader.id, header: new Uint8Array(header) })
      assert.deepEqual(effects?.answerSnapshot, [{ from: leader.id, accept: false }])
      assert.equal(node.decidedPosition, before)
    },
  ),
  inCell(subject, 'snapshotSent: a transfer that failed, or that nobody knows of, disturbs nothing', (cell, leader) => {
    for (const node of cell.nodes)
      node.turn(cell.now, { type: 'snapshotSent', to: leader.id, id: 'nobody-knows-it' as SnapshotId, ok: false })
    decided(cell, leader, 'goes on')
  }),
]
