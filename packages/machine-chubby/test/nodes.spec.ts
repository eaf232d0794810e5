import { describe, expect, test } from 'vitest'
import { type AclNames, type ChubbyCommand, limits } from '../src/index.ts'
import { Cell } from './cell.ts'

const text = (words: string): Uint8Array => new TextEncoder().encode(words)
const file = '/ls/cell/file'
const readOnly = { read: true, write: false, changeAcl: false }

const cellOf = (...sessions: bigint[]): Cell => {
  const cell = new Cell()
  cell.reign(1n)
  cell.sessions(...sessions)
  cell.events()
  return cell
}

const instanceOf = (cell: Cell, path: string): bigint | undefined => {
  const answer = cell.ask({ type: 'stat', path })
  return answer.status === 'stat' ? answer.stat.instance : undefined
}

describe('a session', () => {
  test('is begun again by its own principal only, under the same lease', () => {
    const cell = cellOf()
    const create = { type: 'createSession', session: 1n, principal: 'p1', lease: 1000 } as const
    expect(cell.apply(create)).toMatchObject({ status: 'done' })
    expect(cell.apply(create)).toMatchObject({ status: 'done' })
    expect(cell.apply({ ...create, principal: 'p2' })).toMatchObject({ problem: 'session-exists' })
    expect(cell.apply({ ...create, lease: 2000 })).toMatchObject({ problem: 'session-exists' })
    expect([...cell.view.sessions()]).toEqual([{ id: 1n, principal: 'p1', lease: 1000 }])
  })

  test.each<ChubbyCommand>([
    { type: 'close', session: 9n, handle: 1 },
    { type: 'acquire', session: 9n, handle: 1, mode: 'shared', queue: true },
    { type: 'release', session: 9n, handle: 1 },
    { type: 'write', session: 9n, handle: 1, contents: text('') },
    { type: 'delete', session: 9n, handle: 1 },
    { type: 'raiseToken', session: 9n, above: 1n },
  ])('that is not there can do nothing: $type', (command) => {
    expect(cellOf().apply(command)).toMatchObject({ problem: 'no-session' })
  })

  test.each([limits.leaseMillis.least - 1, limits.leaseMillis.most + 1])('has no lease of %i ms', (lease) => {
    const cell = cellOf()
    expect(cell.apply({ type: 'createSession', session: 1n, principal: 'p', lease })).toMatchObject({
      problem: 'malformed',
    })
  })

  test('is one of a bounded number', () => {
    const cell = cellOf()
    for (let at = 0; at < limits.sessions; at++) cell.sessions(BigInt(at))
    const create = { type: 'createSession', session: 65_535n, principal: 'p65535', lease: 1000 } as const
    expect(cell.apply({ ...create, session: 65_536n })).toMatchObject({ problem: 'too-many' })
    expect(cell.apply(create)).toMatchObject({ status: 'done' })
    cell.apply({ type: 'endSession', session: 7n })
    expect(cell.apply({ ...create, session: 65_536n })).toMatchObject({ status: 'done' })
  })

  test('has a bounded number of handles', () => {
    const cell = cellOf(1n)
    for (let handle = 1; handle <= limits.handlesPerSession; handle++) cell.open(1n, handle, file)
    expect(cell.open(1n, limits.handlesPerSession + 1, file)).toMatchObject({ problem: 'too-many' })
    cell.close(1n, 1)
    expect(cell.open(1n, limits.handlesPerSession + 1, file)).toMatchObject({ status: 'opened' })
  })

  test('raises the token up to a bound that leaves room for grants', () => {
    const cell = cellOf(1n)
    const raise = (above: bigint) => cell.apply({ type: 'raiseToken', session: 1n, above })
    expect(raise(limits.token + 1n)).toMatchObject({ problem: 'too-many' })
    expect(raise(limits.token)).toMatchObject({ token: limits.token })
    expect(cell.lock(1n, 1, file)).toBe(`exclusive ${limits.token + 1n}`)
  })
})

describe('opening', () => {
  test('makes what is missing, with the directories on the way', () => {
    const cell = cellOf(1n)
    expect(cell.open(1n, 1, '/ls/cell/a/b', { contents: text('x') })).toEqual({
      status: 'opened',
      created: true,
      instance: 4n,
      contentGeneration: 1n,
    })
    expect(cell.ask({ type: 'stat', path: '/ls/cell/a' })).toMatchObject({ stat: { kind: 'directory', size: 1 } })
    expect(cell.ask({ type: 'file', path: '/ls/cell/a/b' })).toMatchObject({ file: { contents: text('x') } })
    expect(cell.open(1n, 2, '/ls/cell/a/b', { contents: text('y') })).toMatchObject({ created: false, instance: 4n })
  })

  test('makes no directories unless asked to, and nothing inside of a file', () => {
    const cell = cellOf(1n)
    expect(cell.open(1n, 1, '/ls/cell/a', { parents: false })).toMatchObject({ problem: 'no-node' })
    cell.open(1n, 1, file)
    expect(cell.open(1n, 2, `${file}/x`)).toMatchObject({ problem: 'not-a-directory' })
    expect(cell.open(1n, 2, `${file}/x/y`)).toMatchObject({ problem: 'not-a-directory' })
    expect(cell.open(1n, 2, '/ls/cell/other', { parents: false })).toMatchObject({ created: true })
  })

  test('finds or refuses, as it was asked to', () => {
    const cell = cellOf(1n)
    expect(cell.open(1n, 1, file, { create: 'no' })).toMatchObject({ problem: 'no-node' })
    expect(cell.open(1n, 1, file, { create: 'new' })).toMatchObject({ created: true })
    expect(cell.open(1n, 2, file, { create: 'new' })).toMatchObject({ problem: 'exists' })
    expect(cell.open(1n, 2, file, { create: 'no' })).toMatchObject({ created: false })
    expect(cell.open(1n, 3, '/ls', { create: 'no' })).toMatchObject({ created: false, instance: 1n })
  })

  test('gives no contents to a directory', () => {
    const cell = cellOf(1n)
    expect(cell.open(1n, 1, file, { kind: 'directory', contents: text('x') })).toMatchObject({ problem: 'malformed' })
  })

  test('again under the same number is answered by what is so now', () => {
    const cell = cellOf(1n, 2n)
    const wish = { lock: { mode: 'exclusive', queue: true } } as const
    cell.lock(1n, 1, file)
    expect(cell.lock(2n, 1, file)).toBe('behind 1')
    expect(cell.lock(2n, 1, file)).toBe('behind 1')
    cell.close(1n, 1)
    expect(cell.open(2n, 1, file, wish)).toMatchObject({ created: false, lock: { state: 'held', token: 2n } })
    cell.apply({ type: 'release', session: 2n, handle: 1 })
    expect(cell.open(2n, 1, file, wish)).not.toHaveProperty('lock')
    expect(cell.open(2n, 1, '/ls/cell/other')).toMatchObject({ problem: 'no-handle' })
  })

  test('with a lock that is busy opens all the same', () => {
    const cell = cellOf(1n, 2n)
    cell.lock(1n, 1, file)
    expect(cell.lock(2n, 1, file, { lock: { mode: 'shared', queue: false } })).toBe('busy')
    expect(cell.ask({ type: 'stat', path: file })).toMatchObject({ stat: { handles: 2, lock: { waiters: 0 } } })
  })
})

describe('contents', () => {
  test('are replaced whole, and counted', () => {
    const cell = cellOf(1n)
    cell.open(1n, 1, file, { contents: text('one') })
    const write = { type: 'write', session: 1n, handle: 1, contents: text('three') } as const
    expect(cell.apply(write)).toEqual({ status: 'written', contentGeneration: 2n })
    expect(cell.apply({ ...write, ifGeneration: 1n })).toEqual({ status: 'refused', problem: 'mismatch', detail: 2n })
    expect(cell.apply({ ...write, ifGeneration: 2n })).toEqual({ status: 'written', contentGeneration: 3n })
    expect(cell.ask({ type: 'file', path: file })).toMatchObject({
      file: { contents: text('three'), contentGeneration: 3n },
    })
  })

  test('are of files, and written through handles that may', () => {
    const cell = cellOf(1n)
    cell.open(1n, 1, '/ls/cell/dir', { kind: 'directory' })
    cell.open(1n, 2, file, { access: readOnly })
    const write = { type: 'write', session: 1n, contents: text('x') } as const
    expect(cell.apply({ ...write, handle: 1 })).toMatchObject({ problem: 'is-a-directory' })
    expect(cell.apply({ ...write, handle: 2 })).toMatchObject({ problem: 'denied' })
    expect(cell.apply({ ...write, handle: 3 })).toMatchObject({ problem: 'no-handle' })
  })

  test('have the checksum of RFC 3720', () => {
    const cell = cellOf(1n)
    cell.open(1n, 1, file, { contents: new Uint8Array(32) })
    expect(cell.ask({ type: 'file', path: file })).toMatchObject({ file: { checksum: 0x8a9136aa } })
  })

  test('fill the cell up to its bound; what shrinks is written even then', () => {
    const cell = cellOf(1n)
    const most = limits.cellBytes / limits.contentBytes
    const full = new Uint8Array(limits.contentBytes)
    for (let handle = 1; handle < most; handle++) cell.open(1n, handle, `/ls/cell/f${handle}`, { contents: full })
    cell.open(1n, most, '/ls/cell/last', { contents: full.subarray(1) })
    expect(cell.open(1n, most + 1, '/ls/cell/more', { contents: full })).toMatchObject({ problem: 'too-many' })
    expect(cell.open(1n, most + 1, '/ls/cell/more', { contents: full.subarray(0, 1) })).toMatchObject({ created: true })
    const write = { type: 'write', session: 1n, handle: most } as const
    expect(cell.apply({ ...write, contents: full })).toMatchObject({ problem: 'too-many' })
    expect(cell.apply({ ...write, contents: full.subarray(2) })).toMatchObject({ status: 'written' })
  })
})

describe('deleting', () => {
  const remove = (cell: Cell, session: bigint, handle: number) => cell.apply({ type: 'delete', session, handle })

  test('ends every handle on the node; one of that name made since is another', () => {
    const cell = cellOf(1n, 2n)
    cell.open(1n, 1, file)
    cell.open(2n, 1, file)
    const before = instanceOf(cell, file)
    expect(remove(cell, 1n, 1)).toEqual({ status: 'deleted' })
    expect(cell.events()).toEqual(['2.1 invalid'])
    expect(cell.open(1n, 2, file)).toMatchObject({ created: true, instance: (before ?? 0n) + 1n })
    const write = { type: 'write', contents: text('x'), session: 2n, handle: 1 } as const
    expect(cell.apply(write)).toMatchObject({ problem: 'no-handle' })
    expect(cell.open(2n, 1, file)).toMatchObject({ problem: 'no-handle' })
    expect(cell.ask({ type: 'session', session: 2n, after: 0 })).toMatchObject({
      handles: [{ handle: 1, path: file, valid: false, lock: { state: 'none' } }],
    })
    cell.close(2n, 1)
    expect(cell.ask({ type: 'stat', path: file })).toMatchObject({ stat: { handles: 1 } })
  })

  test('begins the generation of the lock again, never the token', () => {
    const cell = cellOf(1n)
    const wish = { lock: { mode: 'exclusive', queue: true } } as const
    expect(cell.open(1n, 1, file, wish)).toMatchObject({ lock: { lockGeneration: 1n, token: 1n } })
    cell.apply({ type: 'release', session: 1n, handle: 1 })
    cell.apply({ type: 'acquire', session: 1n, handle: 1, mode: 'exclusive', queue: true })
    remove(cell, 1n, 1)
    expect(cell.open(1n, 2, file, wish)).toMatchObject({ lock: { lockGeneration: 1n, token: 3n } })
  })

  test('is not for directories that are in use, for the root, or for handles that may not', () => {
    const cell = cellOf(1n)
    cell.open(1n, 1, '/ls/cell/dir/file', { access: readOnly })
    cell.open(1n, 2, '/ls/cell/dir')
    cell.open(1n, 3, '/ls')
    expect(remove(cell, 1n, 1)).toMatchObject({ problem: 'denied' })
    expect(remove(cell, 1n, 2)).toMatchObject({ problem: 'not-empty' })
    expect(remove(cell, 1n, 3)).toMatchObject({ problem: 'denied' })
    cell.open(1n, 4, '/ls/cell/dir/file')
    expect(remove(cell, 1n, 4)).toMatchObject({ status: 'deleted' })
    expect(remove(cell, 1n, 2)).toMatchObject({ status: 'deleted' })
  })
})

describe('an ephemeral node', () => {
  const ephemeral = { ephemeral: true }

  test('goes when its last handle is closed', () => {
    const cell = cellOf(1n, 2n)
    cell.open(1n, 1, file, ephemeral)
    cell.open(2n, 1, file)
    cell.close(1n, 1)
    expect(instanceOf(cell, file)).toBeDefined()
    cell.close(2n, 1)
    expect(instanceOf(cell, file)).toBeUndefined()
  })

  test('goes with its session', () => {
    const cell = cellOf(1n, 2n)
    cell.open(1n, 1, file, ephemeral)
    cell.apply({ type: 'endSession', session: 1n })
    expect(instanceOf(cell, file)).toBeUndefined()
  })

  test('that is a directory goes when it is empty, too, and so does the one above', () => {
    const cell = cellOf(1n)
    const directory = { kind: 'directory', ephemeral: true } as const
    cell.open(1n, 1, '/ls/cell/a', directory)
    cell.open(1n, 2, '/ls/cell/a/b', directory)
    cell.open(1n, 3, '/ls/cell/a/b/c', ephemeral)
    cell.close(1n, 1)
    cell.close(1n, 2)
    expect(instanceOf(cell, '/ls/cell/a/b')).toBeDefined()
    cell.close(1n, 3)
    expect(['/ls/cell/a', '/ls/cell/a/b', '/ls/cell/a/b/c'].map((path) => instanceOf(cell, path))).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    expect(instanceOf(cell, '/ls/cell')).toBeDefined()
  })

  test('that is a directory is kept by a permanent child, and goes with its deletion', () => {
    const cell = cellOf(1n)
    cell.open(1n, 1, '/ls/cell/a', { kind: 'directory', ephemeral: true })
    cell.open(1n, 2, '/ls/cell/a/kept')
    cell.close(1n, 1)
    cell.close(1n, 2)
    expect(instanceOf(cell, '/ls/cell/a')).toBeDefined()
    cell.open(1n, 3, '/ls/cell/a/kept')
    cell.apply({ type: 'delete', session: 1n, handle: 3 })
    expect(instanceOf(cell, '/ls/cell/a')).toBeUndefined()
  })
})

describe('events', () => {
  test('tell those who asked for them of contents and children', () => {
    const cell = cellOf(1n, 2n)
    cell.open(1n, 1, '/ls/cell', { kind: 'directory', subscriptions: ['children'] })
    cell.open(1n, 2, file, { subscriptions: ['contents'] })
    cell.open(2n, 1, file)
    cell.apply({ type: 'write', session: 2n, handle: 1, contents: text('x') })
    cell.apply({ type: 'delete', session: 2n, handle: 1 })
    expect(cell.events()).toEqual([
      '1.1 added file',
      '1.2 contents 2',
      '1.1 modified file',
      '1.2 invalid',
      '1.1 removed file',
    ])
  })

  test('tell those who asked for them that a lock was acquired, or is in demand', () => {
    const cell = cellOf(1n, 2n, 3n)
    cell.open(3n, 1, file, { subscriptions: ['acquired'] })
    cell.lock(1n, 1, file, { subscriptions: ['acquired', 'conflicting'] })
    cell.lock(2n, 1, file, { subscriptions: ['acquired', 'conflicting'] })
    cell.lock(3n, 2, file, { lock: { mode: 'shared', queue: false }, subscriptions: ['conflicting'] })
    cell.apply({ type: 'release', session: 1n, handle: 1 })
    expect(cell.events()).toEqual([
      '3.1 acquired',
      '1.1 conflicting',
      '1.1 conflicting',
      '2.1 granted exclusive 2',
      '3.1 acquired',
      '1.1 acquired',
    ])
  })

  test('are kept only while somebody takes them', () => {
    const cell = new Cell()
    cell.sessions(1n, 2n)
    cell.lock(1n, 1, file)
    cell.lock(2n, 1, file)
    cell.close(1n, 1)
    expect(cell.events()).toEqual([])
    cell.lock(1n, 1, file)
    cell.view.ignoreEvents()
    cell.close(2n, 1)
    expect(cell.events()).toEqual([])
  })
})

describe('access control lists', () => {
  const everybody: AclNames = { read: '', write: '', changeAcl: '' }
  /** Session 1 writes a list, and hands it to the directory `dir`. */
  const guarded = (lines: string, acl: Partial<AclNames>): Cell => {
    const cell = cellOf(1n, 2n)
    cell.open(1n, 1, '/ls/cell/acl/few', { contents: text(lines) })
    cell.open(1n, 2, '/ls/cell/dir', { kind: 'directory' })
    cell.apply({ type: 'setAcl', session: 1n, handle: 2, acl: { ...everybody, ...acl } })
    return cell
  }

  test('are handed on to what is made in a directory', () => {
    const cell = guarded('p1', { write: 'few', read: 'few' })
    cell.open(1n, 3, '/ls/cell/dir/a/b')
    expect(cell.ask({ type: 'stat', path: '/ls/cell/dir/a/b' })).toMatchObject({
      stat: { acl: { read: 'few', write: 'few', changeAcl: '' }, aclGeneration: 1n },
    })
  })

  test('let those through who are named, and nobody else', () => {
    const cell = guarded('p3\n p1 \n', { write: 'few' })
    expect(cell.open(1n, 3, '/ls/cell/dir/file')).toMatchObject({ created: true })
    expect(cell.open(2n, 3, '/ls/cell/dir/other')).toMatchObject({ problem: 'denied' })
    expect(cell.open(2n, 3, '/ls/cell/dir/file')).toMatchObject({ problem: 'denied' })
    expect(cell.open(2n, 3, '/ls/cell/dir/file', { access: readOnly })).toMatchObject({ status: 'opened' })
  })

  test('name everybody by a star, and nobody if they are not there', () => {
    expect(guarded('*', { write: 'few' }).open(2n, 3, '/ls/cell/dir/file')).toMatchObject({ created: true })
    expect(guarded('*', { write: 'none' }).open(1n, 3, '/ls/cell/dir/file')).toMatchObject({ problem: 'denied' })
  })

  test('are looked at when a handle is opened; a file is read as they are then', () => {
    const cell = guarded('p1\np2', { read: 'few', write: 'few' })
    cell.open(2n, 3, '/ls/cell/dir/file')
    cell.apply({ type: 'write', session: 1n, handle: 1, contents: text('p1') })
    expect(cell.apply({ type: 'write', session: 2n, handle: 3, contents: text('x') })).toMatchObject({
      status: 'written',
    })
    expect(cell.ask({ type: 'file', path: '/ls/cell/dir/file' }, 'p2')).toMatchObject({ problem: 'denied' })
    expect(cell.ask({ type: 'stat', path: '/ls/cell/dir/file' }, 'p2')).toMatchObject({ problem: 'denied' })
    expect(cell.ask({ type: 'children', path: '/ls/cell/dir', after: '', limit: 9 }, '')).toMatchObject({
      problem: 'denied',
    })
    expect(cell.ask({ type: 'file', path: '/ls/cell/dir/file' }, 'p1')).toMatchObject({ status: 'file' })
  })

  test('are changed by those who may, one generation after the other', () => {
    const cell = guarded('p1', { changeAcl: 'few' })
    const access = { read: true, write: true, changeAcl: false }
    expect(cell.open(2n, 3, '/ls/cell/dir')).toMatchObject({ problem: 'denied' })
    cell.open(2n, 3, '/ls/cell/dir', { access })
    const set = { type: 'setAcl', acl: everybody } as const
    expect(cell.apply({ ...set, session: 2n, handle: 3 })).toMatchObject({ problem: 'denied' })
    expect(cell.apply({ ...set, session: 1n, handle: 2, ifGeneration: 1n })).toMatchObject({ detail: 2n })
    expect(cell.apply({ ...set, session: 1n, handle: 2, ifGeneration: 2n })).toEqual({
      status: 'aclSet',
      aclGeneration: 3n,
    })
  })

  test('also say who may take something out of a directory', () => {
    const cell = guarded('p1', { write: 'few' })
    cell.open(1n, 3, '/ls/cell/dir/file')
    cell.apply({ type: 'setAcl', session: 1n, handle: 3, acl: everybody })
    cell.open(2n, 3, '/ls/cell/dir/file')
    expect(cell.apply({ type: 'delete', session: 2n, handle: 3 })).toMatchObject({ problem: 'denied' })
  })

  test('are never of what is above all cells: there it is nowhere to be looked up who is in them, and nobody could take them away', () => {
    const cell = cellOf(1n, 2n)
    cell.open(1n, 1, '/ls', { create: 'no' })
    const acl = { read: 'few', write: 'few', changeAcl: 'few' }
    expect(cell.apply({ type: 'setAcl', session: 1n, handle: 1, acl })).toMatchObject({ problem: 'denied' })
    expect(cell.open(2n, 1, '/ls/cell/lock')).toMatchObject({ status: 'opened', created: true })
  })
})
