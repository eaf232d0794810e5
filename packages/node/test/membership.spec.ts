import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@conclave/client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ConclaveNode, initNode, type NodeConfig, startNode } from '../src/index.ts'

let directory = ''
let nodes: ConclaveNode[] = []
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'conclave-members-'))
})
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()))
  await rm(directory, { recursive: true, force: true })
})

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

interface Place {
  readonly name: string
  readonly id: string
  readonly data: string
  readonly listen: string
  /** With `/p2p/ID`. */
  readonly address: string
}

/** @param ip where it listens; the others reach it on loopback. */
const place = async (name: string, ip = '127.0.0.1'): Promise<Place> => {
  const data = join(directory, name)
  const { id } = await initNode({ name, data })
  const port = await freePort()
  return { name, id, data, listen: `/ip4/${ip}/tcp/${port}`, address: `/ip4/127.0.0.1/tcp/${port}/p2p/${id}` }
}

const lines = (places: readonly Place[]) => Object.fromEntries(places.map(({ name, address }) => [name, address]))

const begin = async ({ name, data, listen }: Place, more: Partial<NodeConfig>): Promise<ConclaveNode> => {
  const node = await startNode({ name, data, listen, ...more })
  nodes.push(node)
  return node
}

const end = async (node: ConclaveNode): Promise<void> => {
  nodes = nodes.filter((other) => other !== node)
  await node.close()
}

const founded = async (names: readonly string[], ip?: string) => {
  const places = await Promise.all(names.map((name) => place(name, ip)))
  const members = lines(places)
  const started = await Promise.all(places.map((at) => begin(at, { members })))
  await started[0]?.kv.put('founded', names.join())
  return { places, members, started }
}

const roles = async (node: ConclaveNode): Promise<Record<string, string>> => {
  const { membership } = await node.client.membership.get()
  return Object.fromEntries(membership.members.map(({ name, role }) => [name, role]))
}

/** Waits for what the test's own time-out alone limits. */
const patient = { timeout: 20_000, interval: 20 }
const until = (what: () => unknown): Promise<unknown> => expect.poll(what, patient).toBeTruthy()

const leading = (all: readonly ConclaveNode[]): ConclaveNode | undefined => all.find((node) => node.status().leading)

describe('a node that joins', () => {
  test('waits until it is added, learns everything, and becomes a voter by itself', async () => {
    const { started, members } = await founded(['a'])
    const [a] = started as [ConclaveNode]
    const d = await place('d')
    const node = await begin(d, { join: true, members })
    expect(node.status()).toMatchObject({ role: 'joining', member: 'none', leading: false })
    await a.client.membership.add({ id: d.id, name: 'd', addresses: [d.address] })
    await until(() => node.status().member === 'voter')
    await expect.poll(() => roles(node), patient).toEqual({ a: 'voter', d: 'voter' })
    expect((await node.kv.get('founded', { level: 'local' }))?.version).toBe(1)
    expect(node.client.members().map(({ name }) => name)).toEqual(['a', 'd'])
  })

  test('may be started after it was added, and comes back without its flag', async () => {
    const { started, members } = await founded(['a', 'b', 'c'])
    const d = await place('d')
    await started[1]?.client.membership.add({ id: d.id, name: 'd', addresses: [d.address] }, { role: 'learner' })
    const node = await begin(d, { join: true, members })
    await until(() => node.status().member === 'learner')
    expect(node.status().role).toBe('learner')
    await end(node)
    const again = await begin(d, { members: { ...members, d: d.address } })
    await again.client.membership.promote(d.id)
    await until(() => again.status().member === 'voter')
    await expect.poll(() => roles(again), patient).toEqual({ a: 'voter', b: 'voter', c: 'voter', d: 'voter' })
  })

  test('never votes and never founds if nobody adds it', async () => {
    const d = await place('d')
    const e = await place('e')
    const node = await begin(d, { join: true, members: lines([e]), profile: 'lan' })
    const other = await begin(e, { join: true, members: lines([d]) })
    await expect(node.kv.put('k', 'v', { timeout: 2500 })).rejects.toMatchObject({
      code: 'unavailable',
      definite: true,
    })
    for (const one of [node, other]) expect(one.status()).toMatchObject({ role: 'joining', epoch: '0', last: 0 })
  })

  test.each([
    ['on loopback, where it would pass for a client', '127.0.0.1'],
    ['beyond, where strangers are cut', '0.0.0.0'],
  ])('answers a leader that it was never told of, after it has asked a member: %s', async (_, ip) => {
    const { started, places } = await founded(['a', 'b', 'c'], ip)
    const d = await place('d', ip)
    const follower = started.find((node) => !node.status().leading) as ConclaveNode
    const known = places.filter(({ id }) => id === follower.id)
    const node = await begin(d, { join: true, members: lines(known) })
    await follower.client.membership.add({ id: d.id, name: 'd', addresses: [d.address] })
    await until(() => node.status().member === 'voter')
  })
})

describe('a node that is removed', () => {
  test('is told so, serves nothing any more, and is refused with the reason when it is started again', async () => {
    const { started, places, members } = await founded(['a', 'b', 'c'])
    const leader = leading(started) as ConclaveNode
    const other = started.find((node) => node !== leader) as ConclaveNode
    const told: string[] = []
    other.on('removed', (why) => told.push(why))
    await leader.client.membership.remove(other.id)
    await until(() => told.length > 0)
    expect(other.status()).toMatchObject({ phase: 'removed', role: 'removed', leading: false })
    expect(Object.keys(await roles(leader))).toHaveLength(2)
    await end(other)
    const at = places.find(({ id }) => id === other.id) as Place
    await expect(begin(at, { members })).rejects.toThrow('was removed from the cluster "conclave"')
  })

  test('learns it when it comes back, if it was away', async () => {
    const { started, places, members } = await founded(['a', 'b', 'c'])
    const leader = leading(started) as ConclaveNode
    const away = started.find((node) => node !== leader) as ConclaveNode
    const at = places.find(({ id }) => id === away.id) as Place
    await end(away)
    await leader.client.membership.remove(away.id)
    const back = await begin(at, { members })
    await until(() => back.status().phase === 'removed')
    expect(String(back.status().removed)).toMatch(/says so$/)
    await until(async () => JSON.parse(await readFile(join(at.data, 'node.json'), 'utf8')).removed === true)
  })

  test('may be the leader: another one takes over, and every write is there', async () => {
    const { started } = await founded(['a', 'b', 'c'])
    const leader = leading(started) as ConclaveNode
    const others = started.filter((node) => node !== leader)
    const endpoints = others.map((node) => node.addresses[0] ?? '')
    await using client = await connect({ endpoints })
    const writes = Array.from({ length: 500 }, (_, at) => client.kv.put(`k${at}`, `${at}`, { timeout: 20_000 }))
    await client.membership.remove(leader.id)
    await Promise.all(writes)
    await until(() => leading(others))
    expect((await client.kv.count({ prefix: 'k' })).count).toBe(500)
    await until(() => leader.status().phase === 'removed')
    expect(client.members()).toHaveLength(2)
  })

  test('is not the last voter', async () => {
    const { started } = await founded(['a'])
    const [a] = started as [ConclaveNode]
    expect(a.status().leases).toBe(false)
    await expect(a.client.membership.remove(a.id)).rejects.toThrow('a is the last voter')
    const { id } = await place('stranger')
    await expect(a.client.membership.moveLeader(id)).rejects.toThrow('no member of this id')
  })
})

describe('a node that was away', () => {
  test('lets in a leader that it has never heard of, after it has asked a member that it knows', async () => {
    const { started, places, members } = await founded(['a', 'b', 'c'])
    const away = started.find((node) => !node.status().leading) as ConclaveNode
    const [first, second] = started.filter((node) => node !== away) as [ConclaveNode, ConclaveNode]
    const at = places.find(({ id }) => id === away.id) as Place
    await end(away)
    const d = await place('d')
    await first.client.membership.add({ id: d.id, name: 'd', addresses: [d.address] })
    const newcomer = await begin(d, { join: true, members })
    await until(() => newcomer.status().member === 'voter')
    await first.client.membership.moveLeader(d.id)
    await first.client.membership.remove(second.id)
    await newcomer.kv.put('while', 'away')
    const back = await begin(at, { members })
    await until(() => back.status().members.some(({ name }) => name === 'd'))
    await until(() => back.status().applied >= newcomer.status().applied)
    expect((await back.kv.get('while', { level: 'local' }))?.version).toBe(1)
    expect(newcomer.status().leading).toBe(true)
  })

  test('and was removed meanwhile learns it also from members that were all started anew, from snapshots', async () => {
    const { started, places, members } = await founded(['a', 'b', 'c'])
    const small = { members, snapshotBytes: '4KiB', tailBytes: 0 }
    const away = started.find((node) => !node.status().leading) as ConclaveNode
    const others = started.filter((node) => node !== away)
    const at = places.find(({ id }) => id === away.id) as Place
    await end(away)
    await others[0]?.client.membership.remove(away.id)
    for (const node of others) await end(node)
    const anew = (): Promise<ConclaveNode>[] =>
      places.filter(({ id }) => id !== away.id).map((one) => begin(one, small))
    const second = await Promise.all(anew())
    for (let n = 0; n < 40; n++) await second[0]?.kv.put(`k${n % 3}`, 'x'.repeat(500))
    await until(() => second.every((node) => node.status().snapshot > 0))
    for (const node of second) await end(node)
    await Promise.all(anew())
    const back = await begin(at, { members })
    await until(() => back.status().phase === 'removed')
  })
})

test('a machine is replaced under a new id, while writes go on: nothing is lost, nothing applied twice', async () => {
  const { started, places } = await founded(['a', 'b', 'c'])
  await using client = await connect({ endpoints: places.map(({ address }) => address) })
  const before = await client.kv.revision()
  let writing = true
  let written = 0
  const writer = async (lane: number): Promise<void> => {
    for (let at = 0; writing; at++) {
      await client.kv.put(`w${lane}/${at}`, 'v', { timeout: 30_000 })
      written++
    }
  }
  const writers = Array.from({ length: 8 }, (_, lane) => writer(lane))
  const dead = started.find((node) => !node.status().leading) as ConclaveNode
  await end(dead)
  const fresh = await place('fresh')
  const kept = places.filter(({ id }) => id !== dead.id)
  await client.membership.remove(dead.id)
  await client.membership.add({ id: fresh.id, name: 'fresh', addresses: [fresh.address] })
  const node = await begin(fresh, { join: true, members: lines(kept) })
  await until(() => node.status().member === 'voter')
  await client.membership.moveLeader(fresh.id)
  expect(node.status().leading).toBe(true)
  writing = false
  await Promise.all(writers)
  expect(await client.kv.revision()).toBe(before + BigInt(written))
  expect((await client.kv.count({ prefix: 'w' })).count).toBe(written)
  expect(written).toBeGreaterThan(100)
})

test('founders are accepted with another list of members once the members have changed', async () => {
  const { started, places, members } = await founded(['a', 'b', 'c'])
  const [a] = started as [ConclaveNode]
  const c = places[2] as Place
  const removed = started[2] as ConclaveNode
  await a.client.membership.remove(c.id)
  await until(() => removed.status().phase === 'removed')
  const at = places[0] as Place
  await until(async () => JSON.parse(await readFile(join(at.data, 'node.json'), 'utf8')).changed === true)
  await end(a)
  const { c: _, ...present } = members
  const again = await begin(at, { members: present })
  await expect.poll(() => roles(again), patient).toEqual({ a: 'voter', b: 'voter' })
})

test('lease reads are a choice, and see what was written', async () => {
  const places = await Promise.all(['a', 'b', 'c'].map((name) => place(name)))
  const members = lines(places)
  const all = await Promise.all(places.map((at) => begin(at, { members, leases: true })))
  await using client = await connect({ endpoints: places.map(({ address }) => address) })
  for (let at = 0; at < 50; at++) {
    const { revision } = await client.kv.put('k', `${at}`)
    expect((await client.kv.get('k', { level: 'lease' }))?.modRevision).toBe(revision)
  }
  expect(all.map((node) => node.status().leases)).toEqual([true, true, true])
})
