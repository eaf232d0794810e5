import {
  decodeBatch,
  encodeBatch,
  epoch,
  type JournalOp,
  type LogTime,
  nodeId,
  position,
  type Send,
  snapshotId,
  writeId,
} from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import { block, HandJournal, openBlock, outcomeText, startWorld, submitTo } from './world.ts'

const b = nodeId('b')
const send = (text: string, early?: true): Send => ({
  to: b,
  message: [new TextEncoder().encode(text)],
  lane: 'urgent',
  ...(early && { early }),
})

describe('a turn', () => {
  test('packs everything that was submitted before it into one proposal, one write and one drain', async () => {
    const world = await startWorld()
    const drains = world.engine.drains
    const answers = [openBlock(7n), block(7n, 1, 'x'), block(7n, 2, 'y')].map((bytes) => submitTo(world, bytes))
    expect(answers).toEqual([[], [], []])
    world.journal.auto = false
    world.clock.step(0)
    expect(world.engine.drains).toBe(drains + 1)
    const proposals = world.engine.inputs.filter((input) => input.type === 'propose')
    expect(proposals).toHaveLength(1)
    expect(decodeBatch(proposals[0]?.batch ?? new Uint8Array(0)).blocks).toHaveLength(3)
    expect(world.journal.writes).toHaveLength(1)
    world.journal.sync()
    await world.clock.pass(0)
    expect(answers).toEqual([['0:'], ['0:1'], ['0:2']])
    expect(world.machine.items).toEqual(['x', 'y'])
    await world.replica.close()
  })

  test('splits what would exceed the bound of an entry, in order', async () => {
    const world = await startWorld({ limits: { requestBytes: 200, entryBytes: 240 } })
    const answers = [openBlock(7n), ...['p', 'q', 'r'].map((text, at) => block(7n, at + 1, text.repeat(100)))].map(
      (bytes) => submitTo(world, bytes),
    )
    await world.clock.pass(0)
    const proposals = world.engine.inputs.filter((input) => input.type === 'propose')
    expect(proposals.map(({ batch }) => decodeBatch(batch).blocks.length)).toEqual([2, 1, 1])
    expect(answers.flat()).toEqual(['0:', '0:1', '0:2', '0:3'])
    await world.replica.close()
  })

  test('ticks once for a pause of ten seconds, and after the messages', async () => {
    const world = await startWorld()
    await world.clock.pass(100)
    expect(world.engine.inputs.filter(({ type }) => type === 'tick')).toHaveLength(10)
    await world.replica.close()
    expect(world.clock.pending).toBe(0)
  })

  test('serves all reads that wait with one read of the engine', async () => {
    const world = await startWorld()
    const served: string[] = []
    for (let read = 0; read < 5; read++) world.replica.read('linearizable', ({ type }) => served.push(type))
    await world.clock.pass(0)
    expect(served).toEqual(Array(5).fill('ready'))
    expect(world.engine.inputs.filter(({ type }) => type === 'read')).toHaveLength(1)
    await world.replica.close()
  })
})

describe('the durability gate', () => {
  test('a message leaves when the write emitted with it is durable, an early one at once, and order is kept', async () => {
    const world = await startWorld()
    world.journal.auto = false
    submitTo(world, openBlock(7n))
    world.engine.extra = { send: [send('vote'), send('append', true)] }
    await world.clock.pass(0)
    expect(world.transport.sent.map(({ text }) => text)).toEqual(['append'])
    world.engine.extra = { send: [send('ack')] } // writes nothing itself, and waits all the same
    world.transport.handler?.peer(b, 'up')
    await world.clock.pass(0)
    expect(world.transport.sent.map(({ text }) => text)).toEqual(['append'])
    world.journal.sync()
    await world.clock.pass(0)
    expect(world.transport.sent.map(({ text }) => text)).toEqual(['append', 'vote', 'ack'])
    await world.replica.close()
  })

  test('what exceeds the bound of waiting messages is dropped, and the engine hears of it', async () => {
    const world = await startWorld({ limits: { heldBytes: 4 } })
    world.journal.auto = false
    submitTo(world, openBlock(7n))
    world.engine.extra = { send: [send('abc'), send('def')] }
    await world.clock.pass(0)
    world.journal.sync()
    await world.clock.pass(0)
    expect(world.transport.sent.map(({ text }) => text)).toEqual(['abc'])
    expect(world.engine.inputs).toContainEqual({ type: 'peer', id: b, state: 'lost' })
    await world.replica.close()
  })
})

describe('exactly once', () => {
  test('a retried command is applied once and gets its first reply, also when later serials came between', async () => {
    const world = await startWorld()
    submitTo(world, openBlock(7n))
    submitTo(world, block(7n, 1, 'x'))
    submitTo(world, block(7n, 2, 'y'))
    await world.clock.pass(0)
    const retry = submitTo(world, block(7n, 1, 'x'))
    await world.clock.pass(0)
    expect(retry).toEqual(['0:1'])
    expect(world.machine.items).toEqual(['x', 'y'])
    await world.replica.close()
  })

  test('an engine that settles after it decided is answered from the table', async () => {
    const world = await startWorld()
    world.engine.settleLate = true
    const answers = [openBlock(7n), block(7n, 1, 'x')].map((bytes) => submitTo(world, bytes))
    await world.clock.pass(20)
    expect(answers).toEqual([['0:'], ['0:1']])
    await world.replica.close()
  })

  test('log time goes on with the leader, and each batch carries it', async () => {
    const world = await startWorld()
    submitTo(world, openBlock(7n))
    await world.clock.pass(250)
    submitTo(world, block(7n, 1, 'x'))
    await world.clock.pass(0)
    expect(world.machine.contexts.map(({ time, position: at }) => ({ time, at }))).toEqual([{ time: 250, at: 2 }])
    await world.replica.close()
  })
})

describe('refusals', () => {
  test('malformed and oversized blocks are invalid; beyond the queue it is overloaded; a full disk says so', async () => {
    const world = await startWorld({ limits: { requestBytes: 100, entryBytes: 200, queuedBytes: 100 } })
    const invalid = [submitTo(world, new Uint8Array(3)), submitTo(world, block(7n, 1, 'z'.repeat(100)))]
    const overloaded = [submitTo(world, block(7n, 1, 'z'.repeat(50))), submitTo(world, block(7n, 2, 'z'.repeat(50)))]
    await world.clock.pass(0)
    expect(invalid).toEqual([['refused invalid'], ['refused invalid']])
    expect(overloaded).toEqual([['1:'], ['refused overloaded']])
    world.journal.events?.disk('full')
    const full = submitTo(world, block(7n, 3, 'z'))
    await world.clock.pass(0)
    expect(full).toEqual(['refused disk-full'])
    await world.replica.close()
  })

  test('whoever does not lead refuses, and names the leader', async () => {
    const world = await startWorld()
    world.engine.extra = { leader: { epoch: epoch(2n), id: b } }
    await world.clock.pass(10)
    const outcomes: unknown[] = []
    world.replica.submit(openBlock(7n), (outcome) => outcomes.push(outcome))
    await world.clock.pass(0)
    expect(outcomes).toEqual([{ type: 'refused', reason: 'not-leader', leader: b }])
    await world.replica.close()
  })

  test('reads are bounded', async () => {
    const world = await startWorld({ limits: { waitingReads: 1 } })
    const served: string[] = []
    for (let read = 0; read < 2; read++)
      world.replica.read('linearizable', (outcome) =>
        served.push(outcome.type === 'refused' ? outcome.reason : outcome.type),
      )
    await world.clock.pass(0)
    expect(served).toEqual(['overloaded', 'ready'])
    await world.replica.close()
  })
})

describe('snapshots', () => {
  test('the state is captured after so many bytes, is named when it is durable, and a restart goes on from it', async () => {
    const first = await startWorld({ limits: { snapshotBytes: 100 } })
    const named: string[] = []
    const { journal } = first
    const write = journal.write.bind(journal)
    journal.write = (ops, done) => {
      for (const op of ops) {
        if (op.type !== 'snapshot') continue
        named.push(`at ${op.position}`)
        journal.state = { snapshot: { id: op.id, position: op.position, header: op.header }, entries: [] }
      }
      write(ops, done)
    }
    submitTo(first, openBlock(7n))
    submitTo(first, block(7n, 1, 'x'.repeat(100)))
    await first.clock.pass(50)
    expect(named).toEqual(['at 1'])
    await first.replica.close()

    const again = new HandJournal()
    again.state = journal.state
    for (const [id, body] of journal.bodies) again.bodies.set(id, body)
    const second = await startWorld({}, again)
    const retry = submitTo(second, block(7n, 1, 'x'.repeat(100)))
    await second.clock.pass(0)
    expect(retry).toEqual(['0:1'])
    expect(second.machine.items).toEqual(['x'.repeat(100)])
    await second.replica.close()
  })

  test('nothing is captured for an engine that would not name it', async () => {
    const world = await startWorld({ limits: { snapshotBytes: 1 } })
    world.engine.supports.snapshots = false
    submitTo(world, openBlock(7n))
    await world.clock.pass(50)
    expect(world.replica.status().counters.snapshotsCaptured).toBe(0)
    await world.replica.close()
  })

  test('a failed capture is tried again, and stops nothing', async () => {
    const world = await startWorld({ limits: { snapshotBytes: 1 } })
    world.journal.stageFailure = new Error('no room')
    submitTo(world, openBlock(7n))
    await world.clock.pass(10)
    world.journal.stageFailure = undefined
    await world.clock.pass(4_000)
    expect(world.replica.status().counters.snapshotsCaptured).toBe(0)
    await world.clock.pass(2_000)
    expect(world.replica.status().counters.snapshotsCaptured).toBe(1)
    await world.replica.close()
  })

  test('a received body is restored when its write is durable, and entries above it wait', async () => {
    const source = await startWorld({ limits: { snapshotBytes: 1 } })
    submitTo(source, openBlock(7n))
    submitTo(source, block(7n, 1, 'theirs'))
    await source.clock.pass(20)
    const [body] = [...source.journal.bodies.values()]
    await source.replica.close()

    const world = await startWorld()
    const id = snapshotId('given')
    const name: JournalOp = { type: 'snapshot', id, position: position(1), header: new Uint8Array(0) }
    world.journal.bodies.set(id, body ?? [])
    world.journal.auto = false
    world.engine.jumpTo(1)
    world.engine.extra = {
      write: { id: writeId(1), ops: [name] },
      restore: { id, position: position(1), epoch: epoch(1n) },
      decide: [
        {
          type: 'batch',
          position: position(2),
          epoch: epoch(1n),
          batch: encodeBatch(9 as LogTime, [block(7n, 2, 'above')]),
        },
      ],
      settle: [],
    }
    world.transport.handler?.peer(b, 'up')
    await world.clock.pass(0)
    const reads: string[] = []
    world.replica.read('local', ({ type }) => reads.push(type))
    expect(world.replica.status()).toMatchObject({ restoring: true, applied: { position: 0 } })
    expect(world.replica.query(1, new Uint8Array(0))).toBeUndefined()
    expect(reads).toEqual(['refused'])
    let told = 0
    world.replica.onApplied(() => told++)
    world.journal.sync()
    await world.clock.pass(0)
    expect(world.replica.status()).toMatchObject({ restoring: false, applied: { position: 2, time: 9 } })
    expect(world.machine.items).toEqual(['theirs', 'above'])
    expect(told).toBe(2)
    await world.replica.close()
  })

  test('a body that the engine does not name is removed', async () => {
    const world = await startWorld()
    world.transport.handler?.offered(b, {
      header: Uint8Array.of(1),
      async *accept() {
        yield Uint8Array.of(1, 2, 3)
      },
      confirm: () => {},
      reject: () => {},
    })
    await world.clock.pass(0)
    world.engine.extra = { answerSnapshot: [{ from: b, accept: true }] }
    await world.clock.pass(30)
    expect(world.engine.inputs.map(({ type }) => type)).toContain('snapshotReceived')
    expect(world.journal.discarded).toHaveLength(1)
    expect(world.journal.bodies.size).toBe(0)
    await world.replica.close()
  })
})

describe('the end', () => {
  const causes = {
    'the engine throws': (world: Awaited<ReturnType<typeof startWorld>>) => {
      world.engine.failure = new Error('an invariant')
      world.transport.handler?.peer(b, 'up')
    },
    'a machine throws': (world: Awaited<ReturnType<typeof startWorld>>) => {
      world.machine.failure = new Error('a bug')
      world.journal.sync()
    },
    'the journal fails': (world: Awaited<ReturnType<typeof startWorld>>) => world.journal.sync(new Error('EIO')),
  }
  for (const [cause, bring] of Object.entries(causes)) {
    test(`${cause}: told once, the engine is never stepped again, what waits is unknown`, async () => {
      const world = await startWorld()
      const fatal: string[] = []
      world.replica.onFatal((error) => fatal.push(error.message))
      submitTo(world, openBlock(7n))
      await world.clock.pass(0)
      world.journal.auto = false
      const answers = submitTo(world, block(7n, 1, 'x'))
      await world.clock.pass(0)
      bring(world)
      await world.clock.pass(0)
      expect(fatal).toHaveLength(1)
      expect(answers).toEqual(['unknown'])
      const steps = world.engine.inputs.length
      await world.clock.pass(1_000)
      expect(world.engine.inputs).toHaveLength(steps)
      expect(world.replica.status().phase).toBe('failed')
      expect(world.transport.closed).toBeGreaterThan(0)
      const after = submitTo(world, block(7n, 2, 'y'))
      await world.clock.pass(0)
      expect(after).toEqual(['refused not-ready'])
      await world.replica.close()
      expect(world.clock.pending).toBe(0)
    })
  }

  test('close settles what is under way as unknown, and leaves no timer', async () => {
    const world = await startWorld()
    submitTo(world, openBlock(7n))
    await world.clock.pass(0)
    world.journal.auto = false
    const written = submitTo(world, block(7n, 1, 'x'))
    await world.clock.pass(0)
    const queued: string[] = []
    world.replica.submit(block(7n, 2, 'y'), (outcome) => queued.push(outcomeText(outcome)))
    await world.replica.close()
    await world.replica.close()
    await world.clock.pass(0)
    expect(written).toEqual(['unknown'])
    expect(queued).toEqual(['refused not-ready'])
    expect(world.clock.pending).toBe(0)
    expect(world.journal.closed).toBe(1)
  })

  test('a callback that throws stops nothing', async () => {
    const world = await startWorld()
    world.replica.submit(openBlock(7n), () => {
      throw new Error('of the embedding program')
    })
    await world.clock.pass(0)
    const answers = submitTo(world, block(7n, 1, 'x'))
    await world.clock.pass(0)
    expect(answers).toEqual(['0:1'])
    await world.replica.close()
  })
})
