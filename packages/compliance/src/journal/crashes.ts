import assert from 'node:assert/strict'
import type { Journal, JournalOp, JournalState, SnapshotId } from '@conclave/interface'
import { type Draw, drawOf, sameBytes } from '../draw.ts'
import { turns } from '../patience.ts'
import { eachSeed, type SuiteTest } from '../suite.ts'
import { bodyOf, compactTo, meta, named, Place, put, quiet, stage, truncateFrom, write } from './access.ts'
import { describeState, JournalModel } from './model.ts'
import type { JournalStore, JournalSubject } from './subject.ts'

const writesOfALife = 40
const mostSteps = 5000
const defaultCrashes = 150

/** What was written in one life of a journal: the states after each write, and how many were issued and acknowledged. */
class Life {
  readonly model = new JournalModel()
  readonly states: string[] = [this.model.described]
  readonly bodies = new Map<string, Uint8Array>()
  readonly draw: Draw
  acknowledged = 0
  /** The journal died: what it still says, or is asked, counts no more. */
  over = false
  #last = 0
  #compacted = 0

  constructor(seed: number) {
    this.draw = drawOf(seed)
  }

  get issued(): number {
    return this.states.length - 1
  }

  #entry(): Uint8Array {
    return this.draw.bytes(this.draw.chance(0.1) ? 5000 : this.draw.below(60))
  }

  #ops(): JournalOp[] {
    const { draw } = this
    const ops: JournalOp[] = []
    if (draw.chance(0.3)) ops.push(meta(draw.bytes(1 + draw.below(20))))
    if (draw.chance(0.15) && this.#last > this.#compacted) {
      const from = this.#compacted + 1 + draw.below(this.#last - this.#compacted)
      ops.push(truncateFrom(from))
      this.#last = from - 1
    }
    for (let more = 1 + draw.below(3); more > 0; more--) {
      this.#last = Math.max(this.#last, this.#compacted) + 1 + (draw.chance(0.1) ? draw.below(5) : 0)
      ops.push(put(this.#last, this.#entry()))
    }
    return ops
  }

  /** A staged body, named and compacted below in one write. */
  async #snapshot(journal: Journal): Promise<JournalOp[]> {
    const id = `s-${this.issued}`
    const body = this.draw.bytes(100 + this.draw.below(3000))
    this.bodies.set(id, body)
    await stage(journal, id, body)
    this.#compacted = Math.max(this.#compacted, this.#last - this.draw.below(3))
    return [named(id, this.#compacted), compactTo(this.#compacted)]
  }

  /** Writes, now and then waiting for what was written. Never ends if the journal dies. */
  async run(journal: Journal): Promise<void> {
    const waiting: Promise<void>[] = []
    while (this.issued < writesOfALife && !this.over) {
      const ops = this.#last > 0 && this.draw.chance(0.12) ? await this.#snapshot(journal) : this.#ops()
      if (this.over) return
      this.model.apply(ops)
      this.states.push(this.model.described)
      waiting.push(
        new Promise((resolve, reject) =>
          journal.write(ops, (error) => {
            if (this.over) return
            if (error !== undefined) return reject(error)
            this.acknowledged++
            resolve()
          }),
        ),
      )
      if (this.draw.chance(0.4)) await waiting.at(-1)
    }
    await Promise.all(waiting)
  }

  /** @throws Error unless `state` is that after one of the writes from the last acknowledged one to the last issued one. */
  locate(state: JournalState, where: string): void {
    const found = describeState(state)
    const candidates = this.states.slice(this.acknowledged)
    if (candidates.includes(found)) return
    const at = this.states.lastIndexOf(found)
    if (at >= 0) throw new Error(`${where}: ${this.acknowledged} writes were acknowledged, only ${at} are there`)
    throw new Error(`${where}: what is there is no prefix of the writes: ${found.slice(0, 400)}`)
  }
}

/** Lets a life run for some steps. True if it ended. */
const advance = async (life: Promise<void>, steps: number, step: () => Promise<void>): Promise<boolean> => {
  let over = false
  const end = (): void => {
    over = true
  }
  life.then(end, end)
  for (let at = 0; at < steps && !over; at++) await step()
  return over
}

const microtask = (): Promise<void> => Promise.resolve()
const turn = (): Promise<void> => turns(1)

/** How long a life is, in microtasks if the store completes in those, else in turns of the event loop. */
const measure = async (
  subject: JournalSubject,
  seed: number,
): Promise<{ steps: number; step: () => Promise<void> }> => {
  for (const step of [microtask, turn]) {
    await using place = await Place.of(subject)
    const { journal } = await place.open()
    const life = new Life(seed)
    let steps = 0
    const counted = (): Promise<void> => {
      steps++
      return step()
    }
    const running = life.run(journal)
    if (await advance(running, mostSteps, counted)) {
      await running
      return { steps, step }
    }
    await running
  }
  return { steps: mostSteps, step: turn }
}

const bodyIsWhole = async (journal: Journal, state: JournalState, life: Life, where: string): Promise<void> => {
  if (state.snapshot === undefined) return
  const body = life.bodies.get(state.snapshot.id)
  assert.ok(
    sameBytes(await bodyOf(journal, state.snapshot.id), body),
    `${where}: the body of the named snapshot is damaged`,
  )
}

/** One life, cut off after so many steps; then what open returned must be found again, come what may. */
const crashAt = async (
  subject: JournalSubject,
  seed: number,
  at: number,
  step: () => Promise<void>,
  where: string,
): Promise<void> => {
  await using place = await Place.of(subject)
  const life = new Life(seed)
  const random = drawOf(seed * 7919 + at)
  const { journal } = await place.open()
  const running = life.run(journal)
  running.catch(() => {})
  await advance(running, at, step)
  life.over = true
  place.store.crash?.(random)
  const first = await place.openNow(quiet)
  life.locate(first.state, where)
  await bodyIsWhole(first.journal, first.state, life, where)
  const described = describeState(first.state)
  place.store.crash?.(random)
  const second = await place.openNow(quiet)
  assert.equal(describeState(second.state), described, `${where}: what open returned was lost by the next crash`)
  await bodyIsWhole(second.journal, second.state, life, where)
  await write(second.journal, put(1_000_000, 'still writable'))
  place.store.crash?.(random)
  const third = await place.openNow(quiet)
  assert.equal(
    third.state.entries.at(-1)?.slot,
    1_000_000,
    `${where}: a write after the recovery was acknowledged and lost`,
  )
  if (third.state.snapshot !== undefined) await third.journal.discard('no-such-body' as SnapshotId)
}

/** @throws what `body` throws, with the place in its message. */
const located = async (where: string, body: (where: string) => Promise<void>): Promise<void> => {
  try {
    await body(where)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (message.startsWith(where)) throw error
    throw new Error(`${where}: ${message}`, { cause: error })
  }
}

/** Every point if there are few, else some drawn at random. */
const pointsOf = (draw: Draw, steps: number, most: number): readonly number[] => {
  if (steps < most) return Array.from({ length: steps + 1 }, (_, at) => at)
  return Array.from({ length: most }, () => draw.below(steps + 1))
}

export const crashes = (
  subject: JournalSubject,
  store: JournalStore,
  seeds: readonly number[],
): readonly SuiteTest[] => [
  {
    name: 'after a crash at any point a write is there whole or not at all, all earlier ones are, none that was acknowledged is lost; open’s finding is durable',
    ...(store.crash === undefined && { skipped: 'the store of this subject offers no `crash`' }),
    run: () =>
      eachSeed(seeds, async (seed) => {
        const { steps, step } = await measure(subject, seed)
        for (const at of pointsOf(drawOf(seed), steps, subject.crashes ?? defaultCrashes))
          await located(`crash after step ${at} of ${steps}`, (where) => crashAt(subject, seed, at, step, where))
      }),
  },
]
