import { ByteWriter, copyBytes, epoch, MalformedBytes } from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import { ChubbyMachine } from '../src/machine.ts'
import { bodyOf, chunksOf, pieces } from './bodies.ts'
import { Cell, copyOf } from './cell.ts'

const shared = { lock: { mode: 'shared', queue: true } } as const

/** Something of everything. */
const busyCell = (): Cell => {
  const cell = new Cell()
  cell.reign(3n)
  cell.sessions(1n, 2n, 3n)
  cell.time = 100
  cell.lock(1n, 1, '/ls/cell/a', { lockDelay: 500, contents: Uint8Array.of(1, 2, 3) })
  cell.lock(2n, 1, '/ls/cell/a')
  cell.lock(2n, 2, '/ls/cell/b', { ...shared, ephemeral: true, subscriptions: ['children', 'acquired'] })
  cell.lock(3n, 1, '/ls/cell/b', shared)
  cell.open(3n, 2, '/ls/cell/d', { kind: 'directory', ephemeral: true })
  cell.open(3n, 3, '/ls/cell/gone')
  cell.apply({ type: 'delete', session: 3n, handle: 3 })
  cell.apply({ type: 'expire', session: 1n, epoch: epoch(3n) })
  return cell
}

const restored = async (body: AsyncIterable<Uint8Array>): Promise<ChubbyMachine> => {
  const machine = new ChubbyMachine()
  await machine.restore(body)
  return machine
}

test('a body gives the same state, in whatever pieces it comes, and the same body again', async () => {
  const { machine } = busyCell()
  const body = await bodyOf(machine)
  for (const size of [1, 7, 100_000]) {
    const copy = await restored(pieces(body, size))
    expect(copy.hash()).toBe(machine.hash())
    expect(await bodyOf(copy)).toEqual(body)
  }
})

test('a capture shows what was so when it was made', async () => {
  const cell = busyCell()
  const before = await bodyOf(cell.machine)
  const capture = cell.machine.capture()
  cell.apply({ type: 'write', session: 2n, handle: 2, contents: Uint8Array.of(9) })
  cell.apply({ type: 'endSession', session: 3n })
  cell.open(2n, 9, '/ls/cell/new')
  const chunks: Uint8Array[] = []
  for await (const chunk of capture.body()) chunks.push(copyBytes(chunk))
  capture.release()
  expect(Buffer.concat(chunks)).toEqual(before)
})

test('a capture that was given back has no body', async () => {
  const capture = busyCell().machine.capture()
  capture.release()
  const chunks: Uint8Array[] = []
  for await (const chunk of capture.body()) chunks.push(chunk)
  expect(chunks).toEqual([])
})

test('no chunk is larger than 256 KiB: not by a large file, nor by a long line for a lock', async () => {
  const cell = new Cell()
  const waiting = Array.from({ length: 4000 }, (_, at) => at + 1)
  const sessions = Array.from({ length: 6 }, (_, at) => BigInt(at + 1))
  cell.sessions(...sessions)
  for (const session of sessions) for (const handle of waiting) cell.lock(session, handle, '/ls/cell/a')
  cell.open(1n, 4001, '/ls/cell/b', { contents: new Uint8Array(256 * 1024).fill(1) })
  cell.open(1n, 4002, '/ls/cell/c', { contents: new Uint8Array(256 * 1024).fill(2) })
  const chunks = await chunksOf(cell.machine)
  expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThanOrEqual(256 * 1024)
  expect((await copyOf(cell.machine)).hash()).toBe(cell.machine.hash())
})

test('a hash tells states apart', () => {
  const hashes = new Set<string>()
  const cell = busyCell()
  const look = () => hashes.add(cell.machine.hash())
  look()
  cell.apply({ type: 'write', session: 2n, handle: 2, contents: Uint8Array.of() })
  look()
  cell.open(2n, 7, '/ls/cell/a', { subscriptions: ['contents'] })
  look()
  cell.apply({ type: 'release', session: 2n, handle: 1 })
  look()
  cell.apply({ type: 'raiseToken', session: 2n, above: 90n })
  look()
  cell.reign(4n)
  look()
  cell.sessions(8n)
  look()
  expect(hashes.size).toBe(7)
})

describe('a body that is no state is refused, and the machine is as before:', () => {
  const refusal = async (body: Uint8Array): Promise<void> => {
    const { machine } = busyCell()
    const before = machine.hash()
    await expect(machine.restore(pieces(body, 1000))).rejects.toThrow(MalformedBytes)
    expect(machine.hash()).toBe(before)
  }

  test('any beginning of one', async () => {
    const body = await bodyOf(busyCell().machine)
    const machine = new ChubbyMachine()
    for (let length = 0; length < body.length; length++)
      await expect(machine.restore(pieces(body.subarray(0, length), 1000))).rejects.toThrow(MalformedBytes)
  })

  test('one with something behind it, of another kind, or of another version', async () => {
    const body = await bodyOf(busyCell().machine)
    await refusal(Uint8Array.of(...body, 0))
    await refusal(Uint8Array.of(0, ...body.subarray(1)))
    await refusal(Uint8Array.of(...body.subarray(0, 4), 2, ...body.subarray(5)))
  })

  interface Lock {
    readonly mode: number
    readonly holders: readonly number[]
    readonly delay: number
  }
  interface Node extends Partial<Lock> {
    readonly path: string
    readonly directory?: boolean
  }
  /** A body by hand: nodes, and session 1 with handle 1 on the last of them. */
  const body = (nodes: readonly Node[], { time = 0, sessions = 1 } = {}): Uint8Array => {
    const writer = new ByteWriter().u32(0x42554843).u8(1).u64(9n).u64(9n).u64(1n).f64(time).u32(nodes.length)
    writer.u32(sessions)
    for (const [at, { path, directory = true, mode = 0, holders = [], delay = 0 }] of nodes.entries()) {
      writer
        .string(path)
        .u8(directory ? 1 : 0)
        .u64(BigInt(at + 1))
        .u64(0n)
        .u64(0n)
      writer.string('').string('').string('').u32(0)
      writer.u8(mode).u64(1n).u64(1n).f64(delay).u32(holders.length)
      for (const handle of holders) writer.u64(1n).u32(handle)
      writer.u32(0)
    }
    for (let session = 0; session < sessions; session++) {
      writer.u64(1n).string('p').u32(1000).u32(1)
      writer
        .u32(1)
        .string(nodes.at(-1)?.path ?? '/ls')
        .u64(BigInt(nodes.length))
        .u8(7)
        .u8(0)
        .u32(0)
        .u32(0)
    }
    return writer.take()
  }
  const root: Node = { path: '/ls' }

  test('the bodies that are changed below are right as they are', async () => {
    const machine = await restored(pieces(body([root, { path: '/ls/a', mode: 1, holders: [1] }]), 1000))
    expect(machine.view.session(1n)).toEqual({ id: 1n, principal: 'p', lease: 1000 })
  })

  test.each<[string, Uint8Array]>([
    ['no root', body([{ path: '/ls/a' }])],
    ['a root that is a file', body([{ path: '/ls', directory: false }])],
    ['a node in no directory', body([root, { path: '/ls/a/b' }])],
    ['a node in a file', body([root, { path: '/ls/a', directory: false }, { path: '/ls/a/b' }])],
    ['a node twice', body([root, { path: '/ls/a' }, { path: '/ls/a' }])],
    ['a free lock with a holder', body([root, { path: '/ls/a', mode: 0, holders: [1] }])],
    ['a held lock without one', body([root, { path: '/ls/a', mode: 2 }])],
    ['an exclusive lock with two', body([root, { path: '/ls/a', mode: 1, holders: [1, 1] }])],
    ['a lock of no mode', body([root, { path: '/ls/a', mode: 3 }])],
    ['a holder that has no such handle', body([root, { path: '/ls/a', mode: 1, holders: [2] }])],
    ['a holder whose handle is elsewhere', body([root, { path: '/ls/a', mode: 1, holders: [1] }, { path: '/ls/b' }])],
    ['a session twice', body([root], { sessions: 2 })],
    ['a time that is none', body([root], { time: Number.NaN })],
    ['a time without end', body([root], { time: Number.POSITIVE_INFINITY })],
    ['a delay before all time', body([root, { path: '/ls/a', delay: -1 }])],
  ])('%s', async (_, malformed) => {
    await refusal(malformed)
  })
})

test('what happened before a restore is not told after it', async () => {
  const cell = new Cell()
  cell.sessions(1n, 2n)
  cell.events()
  cell.lock(1n, 1, '/ls/cell/a')
  cell.lock(2n, 1, '/ls/cell/a')
  const body = await bodyOf(cell.machine)
  cell.close(1n, 1)
  await cell.machine.restore(pieces(body, 1000))
  expect(cell.events()).toEqual([])
  cell.close(1n, 1)
  expect(cell.events()).toEqual(['2.1 granted exclusive 2'])
})
