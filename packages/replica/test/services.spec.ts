import {
  encodeBlock,
  epoch,
  type JournalOp,
  nodeId,
  position,
  sessionCommands,
  sessionsMachine,
  snapshotId,
  writeId,
} from '@conclave/interface'
import type { AskOutcome, ReplicaInit } from '@conclave/replica'
import { describe, expect, test } from 'vitest'
import { ToldList } from './teller.ts'
import {
  block,
  epochOne,
  ListMachine,
  openBlock,
  outcomeText,
  self,
  startWorld,
  submitTo,
  type World,
} from './world.ts'

const b = nodeId('b')
const [two, three] = [epoch(2n), epoch(3n)]
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

interface Served extends World {
  readonly list: ToldList
  readonly plain: ListMachine
}

/** A replica of a list with a service and one without, with session 7 opened. */
const start = async (init: Partial<ReplicaInit> = {}): Promise<Served> => {
  const list = new ToldList()
  const plain = new ListMachine()
  const world = { ...(await startWorld({ machines: [list, plain], ...init })), list, plain }
  submitTo(world, openBlock(7n))
  await world.clock.pass(10)
  return world
}

/** The same, reigning in epoch 2. */
const startReigning = async (init: Partial<ReplicaInit> = {}): Promise<Served> => {
  const world = await start(init)
  world.engine.reign(two)
  await world.clock.pass(10)
  return world
}

const answerText = (outcome: AskOutcome): string =>
  outcome.type === 'reply'
    ? new TextDecoder().decode(outcome.bytes)
    : `refused ${outcome.reason}${outcome.leader === undefined ? '' : `, try ${outcome.leader}`}`

/** Asks as `client`; what is answered arrives in the list. */
const ask = (
  world: World,
  request: string,
  machine = 1,
): { readonly answers: string[]; readonly withdraw: () => void } => {
  const answers: string[] = []
  const withdraw = world.replica.ask(machine, 'client', bytesOf(request), (outcome) =>
    answers.push(answerText(outcome)),
  )
  expect(answers).toEqual([])
  return { answers, withdraw }
}

/** Submits as `client`. */
const submit = (world: World, bytes: Uint8Array): string[] => {
  const answers: string[] = []
  world.replica.submit(bytes, (outcome) => answers.push(outcomeText(outcome)), 'client')
  expect(answers).toEqual([])
  return answers
}

describe('a call to a service', () => {
  test('is answered at once, or held until there is something to say', async () => {
    const world = await startReigning()
    const who = ask(world, 'who')
    const held = ask(world, 'await 1')
    await world.clock.pass(100)
    expect([who.answers, held.answers]).toEqual([['client'], []])
    submit(world, block(7n, 1, 'x'))
    await world.clock.pass(10)
    expect(held.answers).toEqual(['1'])
    await world.replica.close()
    expect([who.answers, held.answers]).toEqual([['client'], ['1']])
  })

  test('reaches the service also where it does not reign: it knows what it can answer', async () => {
    const world = await start()
    world.engine.follow(two, b)
    await world.clock.pass(10)
    const [who, held] = [ask(world, 'who'), ask(world, 'await 0')]
    await world.clock.pass(0)
    expect([who.answers, held.answers]).toEqual([['client'], ['refused not-leader, try b']])
    await world.replica.close()
  })

  test('is refused where there is no service, and while the machines cannot be looked at', async () => {
    const world = await start()
    const none = [ask(world, 'who', 2), ask(world, 'who', 3)]
    await world.clock.pass(0)
    expect(none.map(({ answers }) => answers)).toEqual(Array(2).fill(['refused unsupported, try a']))
    const id = snapshotId('given')
    const name: JournalOp = { type: 'snapshot', id, position: position(9), header: new Uint8Array(0) }
    world.journal.auto = false
    world.engine.extra = {
      write: { id: writeId(9), ops: [name] },
      restore: { id, position: position(9), epoch: epochOne },
    }
    await world.clock.pass(10)
    expect(world.replica.status().restoring).toBe(true)
    const early = ask(world, 'who')
    await world.clock.pass(0)
    await world.replica.close()
    const late = ask(world, 'who')
    await world.clock.pass(0)
    expect([early.answers, late.answers]).toEqual(Array(2).fill(['refused not-ready, try a']))
    expect(world.list.teller.seen).toEqual([])
  })

  test('that is withdrawn is not answered any more, and the service hears of it if it held it', async () => {
    const world = await startReigning()
    const held = ask(world, 'await 1')
    const answered = ask(world, 'who')
    for (const { withdraw } of [held, answered, held, answered]) withdraw()
    submit(world, block(7n, 1, 'x'))
    await world.clock.pass(10)
    expect([held.answers, answered.answers]).toEqual([[], []])
    expect(world.list.teller.seen.filter((seen) => seen === 'withdrawn')).toHaveLength(1)
    const unsupported = ask(world, 'who', 2)
    unsupported.withdraw()
    await world.clock.pass(0)
    expect(unsupported.answers).toEqual([])
    await world.replica.close()
  })

  test('may be made by whoever is being answered: the service is never entered twice', async () => {
    const world = await startReigning()
    const told: string[] = []
    world.replica.ask(1, 'first', bytesOf('await 1'), (first) => {
      world.replica.ask(1, 'second', bytesOf('who'), (second) => told.push(answerText(second)))
      told.push(answerText(first))
    })
    submit(world, block(7n, 1, 'x'))
    await world.clock.pass(10)
    expect(told).toEqual(['1', 'second'])
    await world.replica.close()
  })

  test('that the service throws at stops the replica for good, and whoever waits is told', async () => {
    const world = await startReigning()
    const failures: string[] = []
    world.replica.onFatal(({ message }) => failures.push(message))
    const held = ask(world, 'await 1')
    const waiting = submit(world, block(7n, 1, 'wait'))
    const fatal = ask(world, 'fail')
    await world.clock.pass(100)
    expect(failures).toEqual(['the service fails'])
    expect([held.answers, fatal.answers, waiting]).toEqual(Array(3).fill([expect.stringMatching(/^refused not-ready/)]))
    expect(world.replica.status().phase).toBe('failed')
    expect(world.clock.pending).toBe(0)
    await world.replica.close()
  })
})

describe('a service reigns', () => {
  test('when the reign of this node is applied, not when it is elected', async () => {
    const world = await start()
    const { seen } = world.list.teller
    world.engine.follow(two, self)
    await world.clock.pass(10)
    const early = submit(world, block(7n, 1, 'x'))
    await world.clock.pass(10)
    expect([seen, early]).toEqual([[], ['refused not-ready']])
    world.engine.decideReign(two, self)
    await world.clock.pass(10)
    expect(seen).toEqual(['reigns 2 over 0'])
    await world.replica.close()
  })

  test('neither in the reign of another, nor in one of its own that is over', async () => {
    const world = await start()
    world.engine.follow(two, b)
    world.engine.decideReign(two, b)
    await world.clock.pass(10)
    world.engine.follow(three, b)
    world.engine.decideReign(two, self)
    await world.clock.pass(100)
    expect([world.list.teller.seen, world.list.teller.ticks]).toEqual([[], 0])
    await world.replica.close()
  })

  test('until it is deposed: what waits is refused, and what it lets in later goes nowhere', async () => {
    const world = await startReigning()
    const held = ask(world, 'await 1')
    const waiting = submit(world, block(7n, 1, 'wait'))
    world.engine.follow(three, b)
    await world.clock.pass(10)
    expect([held.answers, waiting]).toEqual([['refused not-leader, try b'], ['refused not-leader']])
    const later = ask(world, 'let in')
    await world.clock.pass(10)
    expect(later.answers).toEqual(['refused not-leader, try b'])
    expect(world.list.items).toEqual([])
    expect(world.list.teller.seen).toEqual([
      'reigns 2 over 0',
      'client asks await 1',
      'client submits wait',
      'deposed',
      'client asks let in',
    ])
    await world.replica.close()
  })

  test('and again in a later reign, with nothing of the one before', async () => {
    const world = await startReigning()
    const waiting = submit(world, block(7n, 1, 'wait'))
    world.engine.reign(three)
    await world.clock.pass(10)
    expect(waiting).toEqual(['refused not-ready'])
    const again = submit(world, block(7n, 1, 'wait'))
    ask(world, 'let in')
    await world.clock.pass(10)
    expect(again).toEqual(['0:1'])
    expect(world.list.teller.seen).toEqual([
      'reigns 2 over 0',
      'client submits wait',
      'deposed',
      'reigns 3 over 0',
      'client submits wait',
      'client asks let in',
      'settled applied',
    ])
    await world.replica.close()
  })

  test('hears of time while it does, of what is applied always, and costs no timer otherwise', async () => {
    const world = await start()
    await world.clock.pass(200)
    const idle = world.clock.pending
    world.engine.reign(two)
    await world.clock.pass(1000)
    expect(world.clock.pending).toBe(idle + 1)
    expect(world.list.teller.ticks).toBe(19)
    world.engine.follow(three, b)
    await world.clock.pass(10)
    const { ticks } = world.list.teller
    await world.clock.pass(200)
    expect([world.list.teller.ticks, world.clock.pending]).toEqual([ticks, idle])
    submit(world, openBlock(8n))
    await world.clock.pass(10)
    expect(world.list.teller.applied).toBe(2)
    await world.replica.close()
    expect(world.clock.pending).toBe(0)
  })

  test('and asks for a round that confirms it', async () => {
    const world = await startReigning()
    const before = world.replica.status().counters.readRounds
    const confirmed = ask(world, 'confirm')
    await world.clock.pass(10)
    expect(confirmed.answers).toEqual(['reigns'])
    expect(world.replica.status().counters.readRounds).toBe(before + 1)
    await world.replica.close()
  })

  test('but hears of no round that ends after it was deposed', async () => {
    const world = await startReigning()
    const confirmed = ask(world, 'confirm')
    world.engine.follow(three, b)
    await world.clock.pass(10)
    expect(confirmed.answers).toEqual(['refused not-leader, try b'])
    await world.replica.close()
  })

  test('and is told when it could not be confirmed', async () => {
    const world = await startReigning({ limits: { waitingReads: 1 } })
    world.replica.read('linearizable', () => {})
    const confirmed = ask(world, 'confirm')
    await world.clock.pass(10)
    expect(confirmed.answers).toEqual(['does not reign'])
    await world.replica.close()
  })
})

describe('a command for a machine with a service', () => {
  test('is proposed when it is let in, and its fate is told', async () => {
    const world = await startReigning()
    const waiting = submit(world, block(7n, 1, 'wait'))
    await world.clock.pass(100)
    expect([waiting, world.list.items]).toEqual([[], []])
    ask(world, 'let in')
    await world.clock.pass(10)
    expect([waiting, world.list.items]).toEqual([['0:1'], ['wait']])
    expect(world.list.teller.seen.slice(1)).toEqual(['client submits wait', 'client asks let in', 'settled applied'])
    await world.replica.close()
  })

  test.each([
    ['refused', 'refused overloaded', 'settled refused'],
    ['lost', 'unknown', 'settled unknown'],
  ] as const)('whose proposal is %s is settled so', async (fate, answer, settled) => {
    const world = await startReigning()
    world.engine.fate = fate
    const answers = submit(world, block(7n, 1, 'x'))
    await world.clock.pass(10)
    expect([answers, world.list.teller.seen.at(-1)]).toEqual([[answer], settled])
    await world.replica.close()
  })

  test('that is refused is not proposed, nor is anything else of its block', async () => {
    const world = await startReigning()
    const commands = [
      { serial: 1, machine: 2, bytes: bytesOf('x') },
      { serial: 2, machine: 1, bytes: bytesOf('no') },
    ]
    const answers = submit(world, encodeBlock(7n, 0, commands))
    await world.clock.pass(10)
    expect([answers, world.plain.items, world.list.items]).toEqual([['refused invalid'], [], []])
    expect(world.list.teller.seen.slice(1)).toEqual(['client submits no'])
    await world.replica.close()
  })

  test('is the only one of its block: another might wait for what becomes of the first', async () => {
    const world = await startReigning()
    const commands = [1, 2].map((serial) => ({ serial, machine: 1, bytes: bytesOf('x') }))
    const answers = submit(world, encodeBlock(7n, 0, commands))
    await world.clock.pass(10)
    expect([answers, world.list.items, world.list.teller.seen.length]).toEqual([['refused invalid'], [], 1])
    await world.replica.close()
  })

  test('holds up no command of another machine, with or without a reign', async () => {
    const world = await start()
    const other = (serial: number) => encodeBlock(7n, 0, [{ serial, machine: 2, bytes: bytesOf('x') }])
    const before = submit(world, other(1))
    await world.clock.pass(10)
    world.engine.reign(two)
    await world.clock.pass(10)
    const waiting = submit(world, block(7n, 2, 'wait'))
    const beside = submit(world, other(3))
    await world.clock.pass(10)
    expect([before, waiting, beside]).toEqual([['0:1'], [], ['0:2']])
    await world.replica.close()
  })

  test('in a malformed block is judged by nobody but whoever refuses the block', async () => {
    const world = await startReigning()
    const answers = submit(world, block(7n, 1, 'x').subarray(0, -1))
    await world.clock.pass(10)
    expect([answers, world.list.teller.seen.length]).toEqual([['refused invalid'], 1])
    await world.replica.close()
  })

  test('waits with so many bytes of others at most', async () => {
    const world = await startReigning({ limits: { queuedBytes: 1200 } })
    const bytes = block(7n, 1, 'wait'.padEnd(40))
    const [first, second] = [submit(world, bytes), submit(world, bytes)]
    await world.clock.pass(10)
    expect([first, second]).toEqual([[], ['refused overloaded']])
    ask(world, 'let in')
    await world.clock.pass(10)
    const third = submit(world, block(7n, 2, 'wait'))
    ask(world, 'let in')
    await world.clock.pass(10)
    expect([first, third]).toEqual([['0:1'], ['0:2']])
    await world.replica.close()
  })

  test('waits as a copy of its own: a client that sends it in a huge frame does not fill the memory by that', async () => {
    const world = await startReigning()
    const bytes = block(7n, 1, 'wait')
    const frame = new Uint8Array(1024)
    frame.set(bytes)
    const answers = submit(world, frame.subarray(0, bytes.length))
    await world.clock.pass(10)
    // The frame is another's by now.
    frame.fill(0)
    ask(world, 'let in')
    await world.clock.pass(10)
    expect([answers, world.list.items]).toEqual([['0:1'], ['wait']])
    await world.replica.close()
  })

  test('is proposed in no other reign than the one that let it in, though that began in the same turn', async () => {
    const world = await startReigning()
    const other = encodeBlock(7n, 0, [{ serial: 9, machine: 2, bytes: bytesOf('y') }])
    const answers = [submit(world, block(7n, 1, 'x')), submit(world, other)]
    world.engine.reign(three) // the replica has not heard of it when it proposes
    await world.clock.pass(10)
    expect(answers).toEqual([['refused not-leader'], ['0:1']])
    expect([world.list.items, world.plain.items]).toEqual([[], ['y']])
    expect(world.list.teller.seen.slice(1)).toEqual([
      'client submits x',
      'settled refused',
      'deposed',
      'reigns 3 over 0',
    ])
    await world.replica.close()
  })

  test('that is settled when its reign is over is answered, and no later reign hears of it', async () => {
    const world = await startReigning()
    world.journal.auto = false
    world.engine.settleLate = true
    const answers = submit(world, block(7n, 1, 'x'))
    await world.clock.pass(10)
    world.engine.reign(three)
    world.journal.sync()
    await world.clock.pass(20)
    expect(answers).toEqual(['0:1'])
    expect(world.list.teller.seen).toEqual(['reigns 2 over 0', 'client submits x', 'deposed', 'reigns 3 over 1'])
    await world.replica.close()
  })
})

describe('what a service proposes itself', () => {
  const proposals = (world: World): number => world.engine.inputs.filter(({ type }) => type === 'propose').length

  test('goes through the log in order, each command once, past its own door', async () => {
    const world = await startReigning()
    for (const text of ['x', 'wait', 'y']) ask(world, `propose ${text}`)
    await world.clock.pass(50)
    expect(world.list.items).toEqual(['x', 'wait', 'y'])
    expect(world.list.teller.seen.filter((seen) => seen.includes('submits'))).toEqual([])
    expect(world.replica.status().sessions).toBe(2)
    await world.replica.close()
  })

  test('comes after what was let in before', async () => {
    const world = await startReigning()
    ask(world, 'propose first')
    await world.clock.pass(20)
    submit(world, block(7n, 1, 'wait'))
    ask(world, 'let in last')
    await world.clock.pass(20)
    expect(world.list.items).toEqual(['first', 'wait', 'last'])
    await world.replica.close()
  })

  test('has a session that no client can open', async () => {
    const world = await startReigning()
    const open = [{ serial: 0, machine: sessionsMachine, bytes: Uint8Array.of(sessionCommands.openOwn) }]
    const answers = submit(world, encodeBlock(8n, 0, open))
    await world.clock.pass(10)
    expect([answers, world.replica.status().sessions]).toEqual([['refused invalid'], 1])
    await world.replica.close()
  })

  test('makes no session before there is something to propose', async () => {
    const world = await startReigning()
    await world.clock.pass(500)
    expect([world.replica.status().sessions, proposals(world)]).toEqual([1, 1])
    await world.replica.close()
  })

  test('is tried again when it is refused for now', async () => {
    const world = await startReigning()
    world.engine.fate = 'refused'
    ask(world, 'propose x')
    await world.clock.pass(100)
    expect(world.list.items).toEqual([])
    world.engine.fate = 'decided'
    await world.clock.pass(200)
    expect(world.list.items).toEqual(['x'])
    await world.replica.close()
  })

  test('waits while another reigns, and is applied once though its fate was unknown in two reigns', async () => {
    const world = await startReigning()
    ask(world, 'propose first')
    await world.clock.pass(20)
    world.engine.fate = 'unknown'
    ask(world, 'propose x')
    await world.clock.pass(20)
    world.engine.follow(three, b)
    await world.clock.pass(10)
    const before = proposals(world)
    await world.clock.pass(500)
    expect(proposals(world)).toBe(before)
    world.engine.fate = 'decided'
    world.engine.reign(epoch(4n))
    await world.clock.pass(100)
    expect(proposals(world)).toBe(before + 1)
    expect(world.list.items).toEqual(['first', 'x'])
    await world.replica.close()
  })
})

test('a replica without services has no timer for them', async () => {
  const world = await startWorld()
  const before = world.clock.pending
  world.engine.reign(two)
  await world.clock.pass(10)
  expect(world.clock.pending).toBe(before)
  await world.replica.close()
})

test('a service that throws where it does not reign leaves no call without an answer', async () => {
  const world = await start()
  const { answers } = ask(world, 'fail')
  await world.clock.pass(100)
  expect([world.replica.status().phase, answers]).toEqual(['failed', [expect.stringContaining('refused not-ready')]])
  await world.replica.close()
})
