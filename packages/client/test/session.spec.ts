import type { Epoch, Monotonic } from '@conclave/interface'
import { type CommandReply, decodeCall, type NumberedNotice, type Problem } from '@conclave/machine-chubby'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Overloaded, SessionExpired, Unavailable } from '../src/errors.ts'
import { FileCache } from '../src/locks/cache.ts'
import { FileProblem, LockHeld, LockLost, SessionLost } from '../src/locks/errors.ts'
import { Session } from '../src/locks/session.ts'
import {
  begin,
  counted,
  done,
  FakeCell,
  grant,
  lease,
  never,
  opened,
  openedHeld,
  openedQueued,
  watched,
} from './fake-cell.ts'
import { quiet } from './fake-cluster.ts'

describe('a lease', () => {
  test('lasts from when it was asked for, and is counted shorter by the drift', async () => {
    const { cell, session, clock } = await begin()
    expect(session.validUntil).toBe(lease * counted)
    await clock.pass(4000)
    await cell.alive({ heldFor: 3900 })
    expect(session.validUntil).toBe((3900 + lease) * counted)
    expect(cell.one('keepAlive').sentAt).toBe(4000)
  })

  test('an answer that was long on its way is worth less by as much', async () => {
    const { cell, session, clock } = await begin()
    await clock.pass(10_000)
    await cell.alive({ heldFor: 1000 })
    expect(session.validUntil).toBe((1000 + lease) * counted)
  })

  test('an answer that hurries to bring notices extends nothing', async () => {
    const { cell, session, clock } = await begin()
    await clock.pass(1000)
    await cell.alive({ lease: 0 }, { serial: 1, notice: { type: 'invalidate', path: '/ls/cell/a' } })
    expect(session.validUntil).toBe(lease * counted)
    expect(cell.one('keepAlive').call).toMatchObject({ epoch: 1n, acked: 1 })
  })

  test('a former leader that answers late extends nothing', async () => {
    const { cell, session, clock } = await begin()
    cell.epoch = 5n as Epoch
    await cell.alive()
    await clock.pass(5000)
    cell.epoch = 4n as Epoch
    const until = session.validUntil
    await cell.alive({ heldFor: 5000 })
    expect(session.validUntil).toBe(until)
  })

  test('that runs out puts the session in jeopardy, and an answer makes it safe', async () => {
    const { cell, session, told, clock } = await begin()
    await clock.pass(lease * counted + 10)
    expect(session.state).toBe('jeopardy')
    expect(told).toEqual(['jeopardy'])
    await cell.alive({ heldFor: lease })
    expect(session.state).toBe('safe')
    expect(told).toEqual(['jeopardy', 'safe'])
  })

  test('that is not extended within the grace period is over, and everything with it', async () => {
    const { session, told, clock } = await begin({ grace: '20s' })
    const lock = await session.lock('/ls/local/a')
    await clock.pass(lease * counted + 20_010)
    expect(told).toEqual(['jeopardy', 'expired'])
    expect(session.state).toBe('expired')
    expect(lock.signal.reason).toBeInstanceOf(LockLost)
    await expect(session.lock('/ls/local/b')).rejects.toThrow(SessionLost)
  })

  test('of a process that was stopped is seen to be over before any timer has its turn', async () => {
    const { cell, session, clock } = await begin()
    const lock = await session.lock('/ls/local/a')
    expect(lock.token).toBe(7n)
    const stopped = vi.spyOn(clock, 'now').mockReturnValue((lease * 1.5) as Monotonic)
    expect(lock.held).toBe(false)
    expect(() => lock.token).toThrow(LockLost)
    expect([session.state, lock.signal.aborted]).toEqual(['jeopardy', true])
    // What comes now left before the stop: it gives nothing that is not over as well.
    await cell.alive({ heldFor: 0 })
    expect([session.state, lock.held]).toEqual(['jeopardy', false])
    stopped.mockRestore()
  })

  test('a cluster that knows no such session ends it', async () => {
    const { cell, session, told } = await begin()
    await cell.one('keepAlive').reply({ type: 'refused', problem: 'no-session' })
    expect([session.state, told]).toEqual(['expired', ['expired']])
    expect(cell.asked).toEqual([])
  })

  test('does not end because the program has too many other calls under way', async () => {
    const { cell, session, clock } = await begin()
    await cell.one('keepAlive').fail(new Overloaded('too many calls wait already: await some'))
    expect(session.state).toBe('safe')
    await clock.pass(1000)
    await cell.alive({ heldFor: 0 })
    expect(session.validUntil).toBeGreaterThan(lease * counted)
  })

  test('calls that will never be answered end it', async () => {
    const { cell, session } = await begin()
    await cell.one('keepAlive').fail(new Error('the client was closed'))
    expect(session.state).toBe('expired')
    await expect(session.read('/ls/local/a')).rejects.toThrow('the client was closed')
  })
})

describe('a lease that is over', () => {
  test.each([
    ['ended by its client', ({ session }: Awaited<ReturnType<typeof begin>>) => session.end()],
    [
      'unknown to the cluster',
      ({ cell }: Awaited<ReturnType<typeof begin>>) =>
        cell.one('keepAlive').reply({ type: 'refused', problem: 'no-session' }),
    ],
  ])('since the session is %s: no lock of it is valid any longer', async (_, end) => {
    const all = await begin()
    const lock = await all.session.lock('/ls/local/a')
    await end(all)
    expect([lock.held, lock.validUntil]).toEqual([false, 0])
  })

  test('is not extended by an answer that comes after the grace period', async () => {
    const { cell, session, clock } = await begin()
    const stopped = vi.spyOn(clock, 'now').mockReturnValue((lease + 46_000) as Monotonic)
    await cell.alive({ heldFor: 100_000 })
    stopped.mockRestore()
    expect([session.state, session.validUntil]).toEqual(['expired', 0])
  })
})

test('a listener that another has removed is not called any more', async () => {
  const { session, clock } = await begin()
  const told: string[] = []
  session.on('jeopardy', () => off())
  const off = session.on('jeopardy', () => told.push('second'))
  await clock.pass(lease)
  expect(told).toEqual([])
})

test('a session is not begun before all that is asked of it is known to be good', async () => {
  const cell = new FakeCell()
  await expect(Session.begin(cell, { grace: 'soon' })).rejects.toThrow(RangeError)
  expect(cell.commands).toEqual([])
})

describe('calls that cannot even leave', () => {
  const refuse: FakeCell['ask'] = (_request, _target, _done, failed) => {
    failed(new Overloaded('too many calls wait already'))
    return () => {}
  }

  test('are not made after the session has ended', async () => {
    const { cell, session, clock } = await begin()
    const { ask } = cell
    cell.ask = (...call) => (decodeCall(call[0]).type === 'query' ? refuse(...call) : ask.apply(cell, call))
    await cell.alive({}, { serial: 1, notice: { type: 'failedOver' } })
    cell.ask = ask
    await session.end()
    await clock.pass(1000)
    expect(cell.asked).toEqual([])
  })

  test('leave no listeners behind', async () => {
    const { cell, session } = await begin()
    const [add, remove] = [
      vi.spyOn(AbortSignal.prototype, 'addEventListener'),
      vi.spyOn(AbortSignal.prototype, 'removeEventListener'),
    ]
    onTestFinished(() => {
      add.mockRestore()
      remove.mockRestore()
    })
    cell.ask = refuse
    await expect(session.read('/ls/local/a')).rejects.toThrow(Overloaded)
    const [[, added] = [], [, removed] = []] = [add.mock.lastCall, remove.mock.lastCall]
    expect(removed).toBe(added)
    expect(remove.mock.invocationCallOrder.at(-1)).toBeGreaterThan(add.mock.invocationCallOrder.at(-1) ?? Infinity)
  })
})

test('an answer that cannot be read fails the call, and ends the session if it is that of its lease', async () => {
  const { cell, session, told } = await begin()
  const asked: ((reply: Uint8Array, sentAt: number) => void)[] = []
  const { ask } = cell
  cell.ask = (...call) => {
    asked.push(call[2])
    return ask.apply(cell, call)
  }
  const reading = watched(session.read('/ls/local/a'))
  asked[0]?.(Uint8Array.of(99), 0)
  await quiet()
  expect(reading.state).toBe('rejected')
  await cell.alive()
  asked[1]?.(Uint8Array.of(99), 0)
  await quiet()
  expect(told).toEqual(['expired'])
})

describe('a handle', () => {
  const overloaded = (): Promise<never> => Promise.reject(new Overloaded('262144 calls wait already'))

  test('that was given up in line is closed in the end, though that cannot leave at first', async () => {
    const { cell, session, clock } = await begin()
    let closes = 0
    cell.answer = ({ type }) => {
      if (type === 'open') return openedQueued
      return type === 'close' && closes++ === 0 ? overloaded() : done
    }
    const locking = expect(session.lock('/ls/local/a', { wait: 500 })).rejects.toThrow(LockHeld)
    await clock.pass(1000)
    await locking
    expect(closes).toBe(2)
  })

  test('of which nobody knows whether it was opened is closed', async () => {
    const { cell, session } = await begin()
    cell.answer = ({ type }) => (type === 'open' ? Promise.reject(new SessionExpired('it has expired')) : done)
    await expect(session.lock('/ls/local/a')).rejects.toThrow(SessionExpired)
    await quiet()
    expect(cell.commands.map(({ type }) => type)).toEqual(['createSession', 'open', 'close'])
  })

  test('that cannot be closed at first does not make a write look as if it had not happened', async () => {
    const { cell, session, clock } = await begin()
    let closes = 0
    cell.answer = ({ type }) => {
      if (type === 'write') return { status: 'written', contentGeneration: 2n }
      if (type === 'close' && closes++ === 0) return overloaded()
      return type === 'open' ? opened() : done
    }
    const writing = watched(session.write('/ls/local/a', 'x'))
    await clock.pass(1000)
    expect(writing).toEqual({ state: 'resolved', value: 2n })
  })

  test('is told once that its file was deleted', async () => {
    const { cell, session } = await begin()
    const handle = await session.open('/ls/local/a', { events: ['contents'] })
    await cell.alive({}, { serial: 1, notice: { type: 'invalid', handle: 1 } })
    await cell.alive({}, { serial: 2, notice: { type: 'failedOver' } })
    const info = { session: session.id, principal: 'me', lease, handles: 1, locks: 0 }
    const gone = { handle: 1, path: '/ls/cell/a', valid: false, lock: { state: 'none' } } as const
    await cell
      .one('query')
      .reply({ type: 'answer', reply: { status: 'session', session: info, handles: [gone], more: false } })
    await handle.close()
    const seen: string[] = []
    for await (const { type } of handle.events()) seen.push(type)
    expect(seen).toEqual(['deleted'])
  })
})

test('a directory that is a file is not said to be made', async () => {
  const { cell, session } = await begin()
  cell.answer = ({ type }) => (type === 'open' ? opened({ contentGeneration: 1n }) : done)
  await expect(session.mkdir('/ls/local/file')).rejects.toMatchObject({ code: 'not-a-directory' })
})

describe('notices', () => {
  test('are acted on once each, and counted anew under each leader', async () => {
    const { cell, session } = await begin()
    const handle = await session.open('/ls/local/a', { events: ['contents'] })
    const changed = (serial: number, contentGeneration: bigint): NumberedNotice => ({
      serial,
      notice: { type: 'contents', handle: handle.number, contentGeneration },
    })
    await cell.alive({}, changed(1, 2n), changed(2, 3n))
    await cell.alive({}, changed(2, 3n), changed(3, 4n))
    expect(cell.one('keepAlive').call).toMatchObject({ epoch: 1n, acked: 3 })
    cell.epoch = 2n as Epoch
    await cell.alive({}, changed(1, 5n))
    expect(cell.one('keepAlive').call).toMatchObject({ epoch: 2n, acked: 1 })
    await handle.close()
    const seen: unknown[] = []
    for await (const event of handle.events()) seen.push(event.type === 'contents' && event.contentGeneration)
    expect(seen).toEqual([2n, 3n, 4n, 5n])
  })

  test('a fail-over has all handles looked at: a grant that was missed is seen', async () => {
    const { cell, session } = await begin()
    cell.answer = () => ({
      status: 'opened',
      created: false,
      instance: 3n,
      contentGeneration: 1n,
      lock: { state: 'queued', position: 1 },
    })
    const locking = session.lock('/ls/local/a')
    await quiet()
    cell.epoch = 2n as Epoch
    await cell.alive({}, { serial: 1, notice: { type: 'failedOver' } })
    const { call, reply } = cell.one('query')
    expect(call).toMatchObject({ query: { type: 'session', session: session.id, after: 0 } })
    await reply({
      type: 'answer',
      reply: {
        status: 'session',
        session: { session: session.id, principal: 'me', lease, handles: 1, locks: 1 },
        handles: [{ handle: 1, path: '/ls/cell/a', valid: true, lock: { state: 'held', ...grant } }],
        more: false,
      },
    })
    expect((await locking).token).toBe(7n)
  })
})

test('handles are looked at after a fail-over even if the client has too many calls under way at first', async () => {
  const { cell, session, clock } = await begin()
  await session.open('/ls/local/a')
  cell.epoch = 2n as Epoch
  await cell.alive({}, { serial: 1, notice: { type: 'failedOver' } })
  await cell.one('query').fail(new Overloaded('65536 calls wait already'))
  expect(cell.asked.filter(({ call }) => call.type === 'query')).toEqual([])
  await clock.pass(150)
  cell.one('query')
})

describe('a lock', () => {
  test('that is granted in jeopardy is had once the session is safe', async () => {
    const { cell, session, clock } = await begin()
    let opened: (reply: CommandReply) => void = () => {}
    cell.answer = ({ type }) =>
      type === 'open'
        ? new Promise((resolve) => {
            opened = resolve
          })
        : { status: 'done', token: 0n }
    let got = false
    const locking = session.lock('/ls/local/a').then((lock) => {
      got = true
      return lock
    })
    await clock.pass(lease)
    expect(session.state).toBe('jeopardy')
    opened({ status: 'opened', created: true, instance: 3n, contentGeneration: 1n, lock: { state: 'held', ...grant } })
    await quiet()
    expect(got).toBe(false)
    await cell.alive({ heldFor: lease })
    expect((await locking).token).toBe(7n)
  })

  test.each<[string, number, CommandReply]>([
    [
      'is busy',
      0,
      {
        status: 'opened',
        created: false,
        instance: 3n,
        contentGeneration: 1n,
        lock: { state: 'busy', delayed: false },
      },
    ],
    [
      'is waited for in vain',
      500,
      { status: 'opened', created: false, instance: 3n, contentGeneration: 1n, lock: { state: 'queued', position: 1 } },
    ],
  ])('that %s is not had, and the place in line is given back', async (_, wait, reply) => {
    const { cell, session, clock } = await begin()
    cell.answer = ({ type }) => (type === 'open' ? reply : { status: 'done', token: 0n })
    const locking = expect(session.lock('/ls/local/a', { wait })).rejects.toThrow(LockHeld)
    await clock.pass(600)
    await locking
    expect(cell.commands.map(({ type }) => type)).toEqual(['createSession', 'open', 'close'])
  })

  test('that the cluster has not answered for as long as was to be waited is not said to be held by another, and is given back when it does', async () => {
    const { cell, session, clock } = await begin()
    let answer: (reply: CommandReply) => void = () => {}
    cell.answer = ({ type }) =>
      type === 'open'
        ? new Promise((resolve) => {
            answer = resolve
          })
        : done
    const locking = expect(session.lock('/ls/local/a', { wait: 500 })).rejects.toThrow(Unavailable)
    await clock.pass(500)
    await locking
    // The next try comes after it, or it would find the lock held by itself.
    const again = watched(session.tryLock('/ls/local/a'))
    await quiet()
    answer(openedHeld)
    await quiet()
    answer(openedHeld)
    await quiet()
    expect(again.state).toBe('resolved')
    expect(cell.commands.map(({ type }) => type)).toEqual(['createSession', 'open', 'close', 'open'])
  })

  test('that is granted in jeopardy, and for which no more is to be waited, is not said to be held by another', async () => {
    const { session, clock } = await begin()
    await clock.pass(lease)
    const locking = expect(session.lock('/ls/local/a', { wait: 500 })).rejects.toThrow(Unavailable)
    await clock.pass(500)
    await locking
  })

  test('is given up at once when the signal fires, whether the cluster answers or not, with the reason as it is', async () => {
    const { cell, session } = await begin()
    cell.answer = ({ type }) => (type === 'open' && cell.commands.length === 2 ? openedQueued : never)
    const giveUp = new AbortController()
    const both = ['a', 'b'].map((name) => watched(session.lock(`/ls/local/${name}`, { signal: giveUp.signal })))
    await quiet()
    giveUp.abort('no more')
    await quiet()
    expect(both).toEqual(both.map(() => ({ state: 'rejected', value: 'no more' })))
  })

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    'that is waited for is lost with a session that is lost %s turns after it was asked for',
    async (turns) => {
      const { cell, session } = await begin()
      const queued = { state: 'queued', position: 1 } as const
      let opened: (reply: CommandReply) => void = () => {}
      cell.answer = () =>
        new Promise((resolve) => {
          opened = resolve
        })
      let lost: unknown
      session.lock('/ls/local/a').catch((error: unknown) => {
        lost = error
      })
      await quiet()
      const { reply } = cell.one('keepAlive')
      opened({ status: 'opened', created: true, instance: 3n, contentGeneration: 1n, lock: queued })
      for (let turn = 0; turn < turns; turn++) await undefined
      await reply({ type: 'refused', problem: 'no-session' })
      expect(lost).toBeInstanceOf(SessionLost)
    },
  )

  test('that was given back is not held, though its session is good', async () => {
    const { cell, session } = await begin()
    const lock = await session.lock('/ls/local/a')
    await lock.release()
    await lock.release()
    expect([lock.held, lock.validUntil]).toEqual([false, 0])
    expect(() => lock.assertHeld()).toThrow('it was released')
    expect(cell.commands.map(({ type }) => type)).toEqual(['createSession', 'open', 'close'])
  })

  test('that could not be given back is given back by the next try', async () => {
    const { cell, session } = await begin()
    const lock = await session.lock('/ls/local/a')
    const { answer } = cell
    cell.answer = () => Promise.reject(new Error('too many calls wait already'))
    await expect(lock.release()).rejects.toThrow('too many calls')
    cell.answer = answer
    await lock.release()
    expect(lock.held).toBe(false)
    expect(cell.commands.map(({ type }) => type)).toEqual(['createSession', 'open', 'close', 'close'])
  })

  test('has a new signal when the session turned out to be safe', async () => {
    const { cell, session, clock } = await begin()
    const lock = await session.lock('/ls/local/a')
    const first = lock.signal
    await clock.pass(lease)
    expect([first.aborted, lock.signal]).toEqual([true, first])
    await cell.alive({ heldFor: lease })
    expect(lock.signal).not.toBe(first)
    expect([lock.signal.aborted, lock.token]).toEqual([false, 7n])
  })

  test('whose file is deleted by its own client is lost', async () => {
    const { cell, session } = await begin()
    const lock = await session.lock('/ls/local/a')
    await cell.alive({}, { serial: 1, notice: { type: 'invalid', handle: 1 } })
    expect(lock.held).toBe(false)
    expect(lock.signal.aborted).toBe(true)
  })
})

describe('the cache', () => {
  const file = { instance: 3n, contentGeneration: 1n, checksum: 0, contents: new Uint8Array([104, 105]) }
  const path = '/ls/cell/a'

  test('answers until it is told to drop the path', async () => {
    const { cell, session } = await begin()
    const reading = session.read(path)
    await cell.one('read').reply({ type: 'file', cacheable: true, file })
    expect((await reading)?.text).toBe('hi')
    expect((await session.read(path))?.text).toBe('hi')
    await cell.alive({}, { serial: 1, notice: { type: 'invalidate', path } })
    void session.read(path)
    await quiet()
    cell.one('read')
  })

  test('keeps nothing that was told to be dropped while it was on its way', async () => {
    const { cell, session } = await begin()
    const reading = session.read(path)
    await cell.alive({}, { serial: 1, notice: { type: 'invalidate', path } })
    await cell.one('read').reply({ type: 'file', cacheable: true, file })
    await reading
    void session.read(path)
    await quiet()
    cell.one('read')
  })

  test('is not used in jeopardy, and is empty afterwards', async () => {
    const { cell, session, clock } = await begin()
    const reading = session.read(path)
    await cell.one('read').reply({ type: 'file', cacheable: true, file })
    await reading
    const jumped = clock.jump(lease)
    void session.read(path)
    cell.one('read')
    await jumped
    await cell.alive({ heldFor: lease })
    void session.read(path)
    expect(cell.asked.filter(({ call }) => call.type === 'read')).toHaveLength(2)
  })

  test('is not emptied by a file that is longer than all that may be kept', () => {
    const cache = new FileCache(1000)
    const file = (bytes: number) => ({
      file: { instance: 1n, contentGeneration: 1n, checksum: 0, contents: new Uint8Array(bytes) },
    })
    cache.arrived(cache.begin('/a'), file(10), true)
    cache.arrived(cache.begin('/b'), file(2000), true)
    expect([cache.get('/a')?.file?.contents.length, cache.get('/b')]).toEqual([10, undefined])
  })

  test('keeps nothing that may not be kept', async () => {
    const { cell, session } = await begin()
    const reading = session.read(path)
    await cell.one('read').reply({ type: 'file', cacheable: false })
    expect(await reading).toBeUndefined()
    void session.read(path)
    await quiet()
    cell.one('read')
  })
})

describe('the end', () => {
  test('passes on what the session holds, and tells nobody that it expired', async () => {
    const { cell, session, told } = await begin()
    const lock = await session.lock('/ls/local/a')
    await session.end()
    await session.end()
    expect(cell.commands.at(-1)).toEqual({ type: 'endSession', session: session.id })
    expect(lock.signal.reason).toMatchObject({ code: 'lock-lost' })
    expect([session.state, told, cell.asked]).toEqual(['ended', [], []])
    await lock.release()
    expect(cell.commands.filter(({ type }) => type === 'endSession')).toHaveLength(1)
  })

  test('does not wait for a cluster that says nothing', async () => {
    const { cell, session, clock } = await begin()
    cell.answer = () => new Promise(() => {})
    cell.command = async (_bytes, signal) => {
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      return new Uint8Array()
    }
    const ending = session.end()
    await clock.pass(2100)
    await ending
  })
})

test.each<[string, Problem]>([
  ['somebody else has the id', 'session-exists'],
  ['there are too many', 'too-many'],
])('a session is not begun if %s', async (_, problem) => {
  const cell = new FakeCell()
  cell.answer = () => ({ status: 'refused', problem })
  await expect(Session.begin(cell)).rejects.toThrow(FileProblem)
})

test.each([0, 499, 60_001, Number.NaN])('a ttl of %s is refused', async (ttl) => {
  await expect(Session.begin(new FakeCell(), { ttl })).rejects.toThrow(RangeError)
})
