import { epoch } from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import { type ChubbyCommand, decodeAnswer, encodeAnswer, encodeQuery, type OpenCommand } from '../src/index.ts'
import { Cell } from './cell.ts'

const file = '/ls/cell/file'

const cellOf = (...sessions: bigint[]): Cell => {
  const cell = new Cell()
  cell.reign(1n)
  cell.sessions(...sessions)
  return cell
}

const opening = (path: string, more: Partial<OpenCommand> = {}): OpenCommand => ({
  type: 'open',
  session: 1n,
  handle: 99,
  path,
  access: { read: true, write: true, changeAcl: true },
  subscriptions: [],
  lockDelay: 0,
  create: 'missing',
  kind: 'file',
  ephemeral: false,
  parents: true,
  contents: new Uint8Array(0),
  ...more,
})

describe('a command touches', () => {
  const touched = (cell: Cell, command: ChubbyCommand, changing: readonly string[] = []) =>
    cell.view.touches(command, (path) => changing.includes(path))

  test('what it makes', () => {
    const cell = cellOf(1n)
    expect(touched(cell, opening('/ls/cell/a/b'))).toEqual(['/ls/cell', '/ls/cell/a', '/ls/cell/a/b'])
    expect(touched(cell, opening('/ls/cell/a/b', { parents: false }))).toEqual(['/ls/cell/a/b'])
    cell.open(1n, 1, '/ls/cell/a/c')
    expect(touched(cell, opening('/ls/cell/a/b'))).toEqual(['/ls/cell/a/b'])
    expect(touched(cell, opening('/ls/cell/a/c'))).toEqual([])
    expect(touched(cell, opening('/ls/cell/a/b', { create: 'no' }))).toEqual([])
  })

  test('what might be gone by then, so that it makes it anew', () => {
    const cell = cellOf(1n)
    cell.open(1n, 1, file)
    expect(touched(cell, opening(file), [file])).toEqual([file])
  })

  test('the node of its handle', () => {
    const cell = cellOf(1n)
    cell.open(1n, 1, file)
    const on = { session: 1n, handle: 1 }
    const acl = { read: '', write: '', changeAcl: '' }
    expect(touched(cell, { type: 'write', ...on, contents: new Uint8Array(0) })).toEqual([file])
    expect(touched(cell, { type: 'setAcl', ...on, acl })).toEqual([file])
    expect(touched(cell, { type: 'delete', ...on })).toEqual([file])
    expect(touched(cell, { type: 'delete', session: 1n, handle: 2 })).toEqual([])
  })

  test('ephemeral nodes that may go with a handle or a session, and those above', () => {
    const cell = cellOf(1n)
    const [directory, child] = ['/ls/cell/d', '/ls/cell/d/e']
    cell.open(1n, 1, directory, { kind: 'directory', ephemeral: true })
    cell.open(1n, 2, child, { ephemeral: true })
    cell.open(1n, 3, file)
    expect(touched(cell, { type: 'close', session: 1n, handle: 2 })).toEqual([child, directory])
    expect(touched(cell, { type: 'close', session: 1n, handle: 3 })).toEqual([])
    expect(touched(cell, { type: 'close', session: 1n, handle: 4 })).toEqual([])
    for (const type of ['endSession', 'expire'] as const)
      expect(touched(cell, { type, session: 1n, epoch: epoch(1n) })).toEqual([directory, child])
    expect(touched(cell, { type: 'expire', session: 2n, epoch: epoch(1n) })).toEqual([])
  })

  test('an ephemeral directory that its last permanent child leaves', () => {
    const cell = cellOf(1n)
    cell.open(1n, 1, '/ls/cell/d', { kind: 'directory', ephemeral: true })
    cell.open(1n, 2, '/ls/cell/d/e')
    expect(touched(cell, { type: 'delete', session: 1n, handle: 2 })).toEqual(['/ls/cell/d/e', '/ls/cell/d'])
  })

  test('everything, if it is about an access control list', () => {
    const cell = cellOf(1n)
    expect(touched(cell, opening('/ls/cell/acl/few'))).toBe('all')
    cell.open(1n, 1, '/ls/cell/acl/few')
    expect(touched(cell, { type: 'write', session: 1n, handle: 1, contents: new Uint8Array(0) })).toBe('all')
    expect(touched(cell, opening('/ls/cell/x/acl/few'))).not.toBe('all')
  })

  test.each<ChubbyCommand>([
    { type: 'createSession', session: 5n, principal: 'p', lease: 1000 },
    { type: 'acquire', session: 1n, handle: 1, mode: 'shared', queue: true },
    { type: 'release', session: 1n, handle: 1 },
    { type: 'setSequencer', session: 1n, handle: 1, sequencer: new Uint8Array(0) },
    { type: 'raiseToken', session: 1n, above: 1n },
    { type: 'lift', epoch: epoch(1n) },
  ])('nothing: $type', (command) => {
    const cell = cellOf(1n)
    cell.open(1n, 1, file, { ephemeral: true })
    expect(touched(cell, command)).toEqual([])
  })
})

describe('a question is answered', () => {
  test('about a node, with all its numbers', () => {
    const cell = cellOf(1n, 2n)
    cell.lock(1n, 1, file, { lock: { mode: 'shared', queue: true }, contents: new TextEncoder().encode('123456789') })
    cell.lock(2n, 1, file)
    expect(cell.ask({ type: 'stat', path: file })).toEqual({
      status: 'stat',
      stat: {
        path: file,
        kind: 'file',
        ephemeral: false,
        instance: 3n,
        contentGeneration: 1n,
        lockGeneration: 1n,
        aclGeneration: 1n,
        size: 9,
        checksum: 0xe3069283,
        acl: { read: '', write: '', changeAcl: '' },
        handles: 2,
        lock: { mode: 'shared', holders: 1, waiters: 1, delay: 0 },
      },
    })
  })

  test('about what is not there, or is of another kind, by a refusal', () => {
    const cell = cellOf(1n)
    cell.open(1n, 1, file)
    for (const type of ['stat', 'file'] as const)
      expect(cell.ask({ type, path: '/ls/none' })).toEqual({ status: 'refused', problem: 'no-node' })
    expect(cell.ask({ type: 'file', path: '/ls/cell' })).toMatchObject({ problem: 'is-a-directory' })
    expect(cell.ask({ type: 'children', path: file, after: '', limit: 9 })).toMatchObject({
      problem: 'not-a-directory',
    })
    expect(cell.ask({ type: 'session', session: 9n, after: 0 })).toMatchObject({ problem: 'no-session' })
  })

  test('about the children of a directory in byte order, page by page, also after some came and went', () => {
    const cell = cellOf(1n)
    for (const [handle, name] of ['b', '\u{1f600}', 'a', '\uffee', 'aa', 'é'].entries())
      cell.open(1n, handle, `/ls/cell/${name}`)
    const names = (after: string, limit: number): unknown => {
      const answer = cell.ask({ type: 'children', path: '/ls/cell', after, limit })
      if (answer.status !== 'children') return answer
      return [...answer.children.map(({ path }) => path.slice('/ls/cell/'.length)), ...(answer.more ? ['…'] : [])]
    }
    expect(names('', 9)).toEqual(['a', 'aa', 'b', 'é', '\uffee', '\u{1f600}'])
    expect(names('', 2)).toEqual(['a', 'aa', '…'])
    expect(names('aa', 2)).toEqual(['b', 'é', '…'])
    expect(names('\uffee', 1)).toEqual(['\u{1f600}'])
    expect(names('\u{1f600}', 1)).toEqual([])
    cell.apply({ type: 'delete', session: 1n, handle: 2 })
    cell.open(1n, 9, '/ls/cell/ab')
    expect(names('', 9)).toEqual(['aa', 'ab', 'b', 'é', '\uffee', '\u{1f600}'])
    expect(cell.ask({ type: 'children', path: '/ls/cell/none', after: '', limit: 1 })).toMatchObject({
      problem: 'no-node',
    })
  })

  test('in no more bytes than a node sends', () => {
    const cell = cellOf(1n)
    const long = '\uffee'.repeat(80)
    const directory = `/ls/cell/${long}/${long}/${long}`
    for (let handle = 0; handle < 1200; handle++) cell.open(1n, handle, `${directory}/${handle}`)
    let [after, seen] = ['', 0]
    for (let more = true; more; ) {
      const answer = cell.ask({ type: 'children', path: directory, after, limit: 1000 })
      if (answer.status !== 'children') throw new Error(answer.status)
      expect(encodeAnswer(answer).length).toBeLessThanOrEqual(1024 * 1024)
      seen += answer.children.length
      after = answer.children.at(-1)?.path.slice(directory.length + 1) ?? after
      more = answer.more
    }
    expect(seen).toBe(1200)
  })

  test('about sessions, in the order of their numbers', () => {
    const cell = cellOf(3n, 1n, 2n)
    cell.lock(2n, 7, file)
    cell.open(2n, 5, file)
    expect(cell.ask({ type: 'sessions', after: 1n, limit: 1 })).toEqual({
      status: 'sessions',
      more: true,
      sessions: [{ session: 2n, principal: 'p2', lease: 1000, handles: 2, locks: 1 }],
    })
    expect(cell.ask({ type: 'session', session: 2n, after: 5 })).toMatchObject({
      more: false,
      handles: [{ handle: 7, path: file, valid: true, lock: { state: 'held', token: 1n } }],
    })
    expect(cell.ask({ type: 'session', session: 2n, after: 0 })).toMatchObject({
      handles: [{ handle: 5, lock: { state: 'none' } }, { handle: 7 }],
    })
  })

  test('about locks that are of interest, below a directory or of one node', () => {
    const cell = cellOf(1n, 2n)
    cell.lock(1n, 1, '/ls/cell/a')
    cell.lock(2n, 1, '/ls/cell/a', { lock: { mode: 'shared', queue: true } })
    cell.lock(1n, 2, '/ls/cell/ab', { lockDelay: 100 })
    cell.open(1n, 3, '/ls/cell/free')
    const paths = (prefix: string, after = '', limit = 9) => {
      const answer = cell.ask({ type: 'locks', prefix, after, limit })
      return answer.status === 'locks' ? answer.locks.map(({ path, delay }) => `${path} ${delay}`) : answer
    }
    expect(paths('/ls')).toEqual(['/ls/cell/a 0', '/ls/cell/ab 0'])
    expect(paths('/ls/cell/a')).toEqual(['/ls/cell/a 0'])
    expect(paths('/ls', '/ls/cell/a')).toEqual(['/ls/cell/ab 0'])
    expect(paths('/ls', '', 1)).toEqual(['/ls/cell/a 0'])
    expect(cell.ask({ type: 'locks', prefix: '/ls/cell/a', after: '', limit: 1 })).toMatchObject({
      more: false,
      locks: [
        {
          mode: 'exclusive',
          token: 1n,
          holders: [{ session: 1n, principal: 'p1' }],
          waiters: [{ session: 2n, principal: 'p2', mode: 'shared' }],
        },
      ],
    })
    cell.apply({ type: 'expire', session: 1n, epoch: epoch(1n) })
    expect(paths('/ls')).toEqual(['/ls/cell/a 0', '/ls/cell/ab 100'])
    cell.time = 100
    cell.sessions(3n)
    expect(paths('/ls')).toEqual(['/ls/cell/a 0'])
  })

  test('about the cell as a whole', () => {
    const cell = cellOf(1n, 2n)
    cell.lock(1n, 1, file)
    expect(cell.ask({ type: 'info' })).toEqual({ status: 'info', token: 1n, nodes: 3, sessions: 2 })
  })

  test('by the machine itself as to somebody unknown', () => {
    const cell = cellOf(1n)
    cell.open(1n, 1, '/ls/cell/acl/few', { contents: new TextEncoder().encode('p1\n\n') })
    cell.open(1n, 2, file)
    cell.apply({ type: 'setAcl', session: 1n, handle: 2, acl: { read: 'few', write: '', changeAcl: '' } })
    const query = { type: 'file', path: file } as const
    expect(cell.ask(query, 'p1')).toMatchObject({ status: 'file' })
    expect(decodeAnswer(cell.machine.query(encodeQuery(query)))).toMatchObject({ problem: 'denied' })
  })
})

test('log time does not go back', () => {
  const cell = cellOf(1n)
  cell.time = 100
  cell.sessions(2n)
  cell.time = 50
  cell.sessions(3n)
  expect(cell.view.time).toBe(100)
})

test('nothing is to be lifted while nobody waits', () => {
  const cell = cellOf(1n, 2n)
  cell.lock(1n, 1, file, { lockDelay: 100 })
  cell.apply({ type: 'expire', session: 1n, epoch: epoch(1n) })
  expect(cell.view.nextLift()).toBeUndefined()
  cell.lock(2n, 1, file)
  expect(cell.view.nextLift()).toBe(100)
  cell.time = 300
  cell.sessions(3n)
  expect(cell.view.nextLift()).toBe(0)
})
