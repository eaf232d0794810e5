import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FileProblem } from '../src/locks/errors.ts'
import { EventStream } from '../src/locks/event-stream.ts'
import type { FileEvent } from '../src/locks/handle.ts'
import type { Session } from '../src/locks/session.ts'
import { Barrier, Election, Group, Queue } from '../src/recipes.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** Handles that are open, and what happens to them. */
class Handles {
  readonly open: EventStream<FileEvent>[] = []

  readonly make = async (): Promise<unknown> => {
    const events = new EventStream<FileEvent>({ type: 'failedOver' })
    this.open.push(events)
    const close = async (): Promise<void> => {
      this.open.splice(this.open.indexOf(events), 1)
      events.end()
    }
    return { events: () => events, close, [Symbol.asyncDispose]: close }
  }

  tell(event: FileEvent): void {
    for (const events of [...this.open]) events.push(event)
  }
}

const noNode = async (path: string): Promise<never> => {
  throw new FileProblem('no-node', path)
}

const sessionOf = (some: object): Session => some as Session

test('a consumer that has waited for long still hears of an item at once', async () => {
  const handles = new Handles()
  const list = vi.fn(async () => [])
  const queue = new Queue(sessionOf({ mkdir: async () => {}, open: handles.make, list }), '/ls/local/queue')
  const enough = new AbortController()
  const taking = expect(queue.take(enough.signal)).rejects.toThrow('enough')
  await vi.advanceTimersByTimeAsync(10_500)
  const looked = list.mock.calls.length
  handles.tell({ type: 'children', change: 'added', name: '1' })
  await vi.advanceTimersByTimeAsync(0)
  expect(list).toHaveBeenCalledTimes(looked + 1)
  enough.abort(new Error('enough'))
  await vi.advanceTimersByTimeAsync(0)
  await taking
})

test('a candidate that cannot proclaim itself does not keep the lock', async () => {
  const release = vi.fn(async () => {})
  const open = async () => {
    throw new Error('the session has too many handles')
  }
  const election = new Election(sessionOf({ lock: async () => ({ release }), open }), '/ls/local/election')
  await expect(election.campaign('a')).rejects.toThrow('too many handles')
  expect(release).toHaveBeenCalledOnce()
})

test('a party that cannot enter a barrier is not counted in it', async () => {
  const handles = new Handles()
  const mkdir = async () => {
    throw new Error('denied')
  }
  const barrier = new Barrier(sessionOf({ open: handles.make, mkdir }), '/ls/local/barrier', 2)
  await expect(barrier.enter('a')).rejects.toThrow('denied')
  expect(handles.open).toEqual([])
})

test('who watches a group goes on when its directory is deleted and made anew', async () => {
  const handles = new Handles()
  const mkdir = vi.fn(async () => {})
  const group = new Group(sessionOf({ mkdir, open: handles.make, list: noNode }), '/ls/local/group')
  const seen: unknown[] = []
  const watching = (async () => {
    for await (const members of group.watch()) if (seen.push(members) === 3) return
  })()
  await vi.advanceTimersByTimeAsync(0)
  handles.tell({ type: 'deleted' })
  await vi.advanceTimersByTimeAsync(0)
  expect([seen.length, mkdir.mock.calls.length]).toEqual([2, 2])
  handles.tell({ type: 'children', change: 'added', name: 'a' })
  await watching
  expect(handles.open).toEqual([])
})

test('who watches a group goes on if its directory went before it could be opened', async () => {
  const handles = new Handles()
  const open = vi.fn(handles.make).mockImplementationOnce(() => noNode('/ls/local/group'))
  const group = new Group(sessionOf({ mkdir: async () => {}, open, list: noNode }), '/ls/local/group')
  expect(await group.watch().next()).toEqual({ done: false, value: [] })
})

test('who observes an election goes on when its file is deleted, and is told of nobody who is gone', async () => {
  const handles = new Handles()
  let mode = 'free'
  const read = async () => ({ text: JSON.stringify({ value: 'a', token: '5' }) })
  const session = sessionOf({ open: handles.make, read, stat: async () => ({ lock: { mode } }) })
  const told = vi.fn()
  const observing = new Election(session, '/ls/local/election').observe().next().then(told)
  await vi.advanceTimersByTimeAsync(0)
  handles.tell({ type: 'failedOver' })
  await vi.advanceTimersByTimeAsync(0)
  handles.tell({ type: 'deleted' })
  await vi.advanceTimersByTimeAsync(0)
  expect(told).not.toHaveBeenCalled()
  mode = 'exclusive'
  handles.tell({ type: 'contents', contentGeneration: 2n })
  await observing
  expect(told).toHaveBeenCalledWith({ done: false, value: { value: 'a', token: 5n } })
})
