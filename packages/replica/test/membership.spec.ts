import {
  encodeBatch,
  type LogTime,
  type Membership,
  type MembershipChange,
  nodeId,
  position,
  requestId,
  slot,
  snapshotId,
} from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import type { ChangeOutcome } from '../src/changes.ts'
import { epochOne, founders, HandJournal, openBlock, self, startWorld, submitTo, type World } from './world.ts'

const d = { id: nodeId('d'), name: 'd', addresses: ['/ip4/127.0.0.1/tcp/7400'] }
const change: MembershipChange = { type: 'add', member: d, role: 'learner' }
const grown: Membership = { members: [...founders.members, { ...d, role: 'learner' }] }

/** A world whose engine changes members. */
const changeable = async (): Promise<World> => {
  const world = await startWorld()
  world.engine.supports = { ...world.engine.supports, membership: true, transfer: true }
  return world
}

/** Asks for the change; what is answered arrives in the list. */
const ask = (world: World): ChangeOutcome[] => {
  const outcomes: ChangeOutcome[] = []
  world.replica.reconfigure(change, (outcome) => outcomes.push(outcome))
  return outcomes
}

const asked = (world: World) => world.engine.inputs.filter((input) => input.type === 'reconfigure')

describe('a change of the membership', () => {
  test('reaches the engine once, and its outcome the caller once', async () => {
    const world = await changeable()
    const outcomes = ask(world)
    await world.clock.pass(0)
    expect(asked(world).map((input) => input.change)).toEqual([change])
    expect(outcomes).toEqual([])
    const [input] = asked(world)
    const settled = { id: input?.id ?? requestId(0), outcome: { type: 'decided', position: position(3) } as const }
    world.engine.extra = { settle: [settled, settled] }
    await world.clock.pass(10)
    expect(outcomes).toEqual([{ type: 'decided', position: 3 }])
    await world.replica.close()
    expect(outcomes).toHaveLength(1)
  })

  test('is refused with the name of the leader when the engine says that it does not lead', async () => {
    const world = await changeable()
    world.engine.extra = { leader: { epoch: epochOne, id: nodeId('b') } }
    await world.clock.pass(10)
    const outcomes = ask(world)
    await world.clock.pass(0)
    const [input] = asked(world)
    const outcome = { type: 'refused', reason: 'not-leader' } as const
    world.engine.extra = { settle: [{ id: input?.id ?? requestId(0), outcome }] }
    await world.clock.pass(10)
    expect(outcomes).toEqual([{ type: 'refused', reason: 'not-leader', leader: 'b' }])
    await world.replica.close()
  })

  test('waits for none: a second one is refused as in progress, never within the call', async () => {
    const world = await changeable()
    ask(world)
    const second = ask(world)
    expect(second).toEqual([])
    await world.clock.pass(0)
    expect(second).toEqual([{ type: 'refused', reason: 'in-progress', leader: 'a' }])
    expect(asked(world)).toHaveLength(1)
    await world.replica.close()
  })

  test('is unknown when the replica closes before it is settled, and refused afterwards', async () => {
    const world = await changeable()
    const open = ask(world)
    await world.replica.close()
    expect(open).toEqual([{ type: 'unknown' }])
    const late = ask(world)
    await world.clock.pass(0)
    expect(late.map((outcome) => outcome.type === 'refused' && outcome.reason)).toEqual(['not-ready'])
  })

  test('is refused as unsupported by an engine that knows none', async () => {
    const world = await startWorld()
    const outcomes = ask(world)
    await world.clock.pass(0)
    expect(outcomes.map((outcome) => outcome.type === 'refused' && outcome.reason)).toEqual(['unsupported'])
    expect(asked(world)).toEqual([])
    await world.replica.close()
  })
})

describe('the members', () => {
  test('are those of the engine at the start, then the ones that were decided last', async () => {
    const world = await changeable()
    const told: Membership[] = []
    world.replica.onMembers((membership) => told.push(membership))
    expect(world.replica.membership).toEqual(founders)
    const at = { position: position(1), epoch: epochOne }
    const joint: Membership = { ...grown, outgoing: [self] }
    world.engine.jumpTo(2)
    world.engine.extra = {
      decide: [
        { type: 'members', ...at, membership: joint },
        { type: 'members', ...at, position: position(2), membership: grown },
      ],
    }
    await world.clock.pass(10)
    expect(told).toEqual([grown])
    expect(world.replica.membership).toEqual(grown)
    await world.replica.close()
  })

  test('come with a snapshot too', async () => {
    const world = await changeable()
    submitTo(world, openBlock(7n))
    await world.clock.pass(0)
    const told: Membership[] = []
    world.replica.onMembers((membership) => told.push(membership))
    world.engine.membership = grown
    world.engine.jumpTo(9)
    world.engine.extra = { restore: { id: snapshotId('9-0'), position: position(9), epoch: epochOne } }
    world.replica.onFatal(() => {}) // there is no such body: what is told of the members does not wait for it
    await world.clock.pass(10)
    expect(told).toEqual([grown])
    await world.replica.close()
  })
})

test('a configuration that came with the journal is told once everything beside it is decided, not before', async () => {
  const journal = new HandJournal()
  const bytes = encodeBatch(0 as LogTime, [openBlock(7n)])
  journal.state = { entries: [{ slot: slot(1), bytes }] }
  const told: Membership[] = []
  const world = await startWorld({}, journal, (engine, replica) => {
    engine.membership = grown
    engine.decidedUpTo = 0
    replica.onMembers((membership) => told.push(membership))
  })
  expect([told, world.replica.membership]).toEqual([[], grown])
  world.engine.decidedUpTo = 1
  await world.clock.pass(10)
  await world.clock.pass(10)
  expect(told).toEqual([grown])
  await world.replica.close()
})

test('a transfer of leadership reaches the engine', async () => {
  const world = await changeable()
  world.replica.transfer(nodeId('b'))
  await world.clock.pass(0)
  expect(world.engine.inputs.filter(({ type }) => type === 'transfer')).toEqual([{ type: 'transfer', to: 'b' }])
  await world.replica.close()
})

test('leases are for the engine to know', async () => {
  const [without, chosen] = await Promise.all([startWorld(), startWorld({ leases: true })])
  expect([without.engine.init.leases, chosen.engine.init.leases]).toEqual([false, true])
  await Promise.all([without.replica.close(), chosen.replica.close()])
})
