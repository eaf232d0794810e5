/** Recipes on a real session, and what becomes of them when the cluster is slow, silent or full. */
import type { Stat } from '@conclave/machine-chubby'
import { expect, test } from 'vitest'
import { Overloaded } from '../src/errors.ts'
import { LockLost } from '../src/locks/errors.ts'
import { Election, Queue, Semaphore } from '../src/recipes.ts'
import { begin, done, lease, never, opened, openedHeld, openedQueued, watched } from './fake-cell.ts'
import { quiet } from './fake-cluster.ts'

test('a semaphore waits no longer than it is told to, also for a cluster that says nothing', async () => {
  const { cell, session, clock } = await begin()
  cell.answer = () => never
  const taking = watched(new Semaphore(session, '/ls/local/s', 2).acquire({ wait: 500 }))
  await clock.pass(600)
  expect(taking.state).toBe('rejected')
})

test('a semaphore waits no longer than it is told to in all, however slow each answer is', async () => {
  const { cell, session, clock } = await begin()
  const busy = opened({ lock: { state: 'busy', delayed: false } })
  cell.answer = (command) =>
    command.type === 'open'
      ? new Promise((resolve) => {
          clock.after(200, () => resolve(command.lock?.queue === true ? openedQueued : busy))
        })
      : done
  const taking = watched(new Semaphore(session, '/ls/local/s', 2).acquire({ wait: 500 }))
  await clock.pass(600)
  expect(taking.state).toBe('rejected')
})

test('a campaign is given up at once, also while it proclaims itself', async () => {
  const { cell, session } = await begin()
  cell.answer = ({ type }) => (type === 'open' && cell.commands.length === 2 ? openedHeld : never)
  const giveUp = new AbortController()
  const campaign = watched(new Election(session, '/ls/local/e').campaign('me', { signal: giveUp.signal }))
  await quiet()
  giveUp.abort(new Error('no more'))
  await quiet()
  expect(campaign).toEqual({ state: 'rejected', value: new Error('no more') })
})

test('nobody leads who has only proclaimed itself once its lease was over', async () => {
  const { cell, session, clock } = await begin()
  let written = (): void => {}
  cell.answer = ({ type }) => {
    if (type === 'open') return openedHeld
    if (type !== 'write') return done
    return new Promise((resolve) => {
      written = () => resolve({ status: 'written', contentGeneration: 2n })
    })
  }
  const campaign = watched(new Election(session, '/ls/local/e').campaign('me'))
  await clock.pass(lease)
  written()
  await quiet()
  expect(campaign).toEqual({ state: 'rejected', value: expect.any(LockLost) })
})

test('a candidate that can neither proclaim itself nor close its file keeps no lock', async () => {
  const { cell, session, clock } = await begin()
  let fails = 2
  cell.answer = ({ type }) => {
    if (type === 'open') return openedHeld
    return fails-- > 0 ? Promise.reject(new Overloaded('262144 calls wait already')) : done
  }
  const campaign = watched(new Election(session, '/ls/local/e').campaign('me'))
  await clock.pass(5000)
  expect(campaign.state).toBe('rejected')
  expect(cell.commands.flatMap((command) => (command.type === 'close' ? [command.handle] : []))).toContain(1)
})

test('an item that its consumer cannot read is claimed no longer', async () => {
  const { cell, session } = await begin()
  cell.answer = (command) => {
    if (command.type !== 'open') return done
    return command.lock === undefined ? opened({ contentGeneration: 0n }) : openedHeld
  }
  const taking = watched(new Queue(session, '/ls/local/q').tryTake())
  await quiet()
  const item: Stat = {
    path: '/ls/cell/q/items/1',
    kind: 'file',
    ephemeral: false,
    instance: 4n,
    contentGeneration: 1n,
    lockGeneration: 0n,
    aclGeneration: 1n,
    size: 1,
    checksum: 0,
    acl: { read: '', write: '', changeAcl: '' },
    handles: 0,
    lock: { mode: 'free', holders: 0, waiters: 0, delay: 0 },
  }
  await cell.one('query').reply({ type: 'answer', reply: { status: 'children', children: [item], more: false } })
  await cell.one('query').fail(new Overloaded('too many calls wait already'))
  expect(taking.state).toBe('rejected')
  const opens = cell.commands.filter(({ type }) => type === 'open').length
  expect(cell.commands.filter(({ type }) => type === 'close')).toHaveLength(opens)
})

test('a consumer gives up at once, though the cluster says nothing', async () => {
  const { cell, session } = await begin()
  cell.answer = () => never
  const giveUp = new AbortController()
  const taking = watched(new Queue(session, '/ls/local/q').take(giveUp.signal))
  await quiet()
  giveUp.abort(new Error('no more'))
  await quiet()
  expect(taking).toEqual({ state: 'rejected', value: new Error('no more') })
})
