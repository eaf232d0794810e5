import { type Clock, type Membership, type Monotonic, nodeId, type Peer } from '@conclave/interface'
import { expect, test } from 'vitest'
import { Inquiry } from '../src/inquiry.ts'

/** Time that passes when the test says so. */
class HandClock implements Clock {
  #now = 0
  #timers: { readonly at: number; readonly run: () => void }[] = []
  now(): Monotonic {
    return this.#now as Monotonic
  }
  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }
  defer(run: () => void): void {
    setImmediate(run)
  }
  get pending(): number {
    return this.#timers.length
  }
  async pass(ms: number): Promise<void> {
    await turns()
    for (const end = this.#now + ms; this.#now < end; ) {
      this.#now = Math.min(end, this.#now + 10)
      for (const timer of this.#timers.filter(({ at }) => at <= this.#now)) {
        this.#timers = this.#timers.filter((other) => other !== timer)
        timer.run()
      }
      await turns()
    }
  }
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const peer = (name: string): Peer => ({ id: nodeId(name), name, addresses: [] })
const membership: Membership = { members: [] }

const begin = (answer: (name: string, signal: AbortSignal) => Promise<Membership | undefined>, news = () => false) => {
  const clock = new HandClock()
  const asked: string[] = []
  const inquiry = new Inquiry({
    clock,
    trusted: () => ['a', 'b', 'c', 'd'].map(peer),
    ask: ({ name }, signal) => {
      asked.push(name)
      return answer(name, signal)
    },
    learned: news,
  })
  return { clock, asked, inquiry }
}

test('however many knock, one member is asked, and again only after a pause that grows', async () => {
  const { clock, asked, inquiry } = begin(async () => membership)
  const knocking = async (ms: number): Promise<number> => {
    const before = asked.length
    for (let at = 0; at < ms; at += 10) {
      for (let knock = 0; knock < 100; knock++) inquiry.knocked()
      await clock.pass(10)
    }
    return asked.length - before
  }
  expect(await knocking(400)).toBe(1)
  expect(await knocking(60_000)).toBeLessThan(20)
  expect(await knocking(60_000)).toBeLessThanOrEqual(13)
  await inquiry.close()
  expect(clock.pending).toBe(0)
})

test('asks nobody as long as nobody knocks', async () => {
  const { clock, asked, inquiry } = begin(async () => membership)
  inquiry.knocked()
  await clock.pass(60_000)
  expect(asked).toEqual(['a'])
  inquiry.knocked()
  await clock.pass(10)
  expect(asked).toEqual(['a', 'b'])
  await inquiry.close()
})

test('news make it ready for the next one soon', async () => {
  const { clock, asked, inquiry } = begin(
    async () => membership,
    () => true,
  )
  for (let knock = 0; knock < 4; knock++) {
    inquiry.knocked()
    await clock.pass(300)
  }
  expect(asked).toHaveLength(4)
  await inquiry.close()
})

test('goes on to the next member when one fails, hangs or tells nothing, three at most', async () => {
  const { clock, asked, inquiry } = begin((name, signal) => {
    if (name === 'a') return Promise.reject(new Error('down'))
    if (name === 'b') return Promise.resolve(undefined)
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
  inquiry.knocked()
  await clock.pass(100)
  expect(asked).toEqual(['a', 'b', 'c'])
  await clock.pass(2500)
  expect(asked).toEqual(['a', 'b', 'c'])
  await inquiry.close()
})

test('ends with its node, also while a member is asked', async () => {
  const { clock, asked, inquiry } = begin(
    (_, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  )
  inquiry.knocked()
  await turns()
  await inquiry.close()
  inquiry.knocked()
  await clock.pass(10_000)
  expect([asked, clock.pending]).toEqual([['a'], 0])
})
