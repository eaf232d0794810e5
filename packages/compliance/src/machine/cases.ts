import assert from 'node:assert/strict'
import { MalformedBytes, type StateMachine } from '@conclave/interface'
import { drawOf, hex, mangled, sameBytes } from '../draw.ts'
import { rejects } from '../patience.ts'
import { withoutWorld } from '../purity.ts'
import { eachSeed, type SuiteTest } from '../suite.ts'
import {
  badCommand,
  bodyOf,
  captured,
  copyStep,
  pieces,
  sameFuture,
  sameState,
  stepsOf,
  take,
  takeAll,
  takeFromFrame,
} from './life.ts'
import type { MachineSubject, Step } from './subject.ts'

/** Steps of a life. */
const long = 300
const short = 120

export type Case = (subject: MachineSubject, seeds: readonly number[]) => SuiteTest

const perSeed =
  (name: string, body: (subject: MachineSubject, seed: number) => Promise<void> | void): Case =>
  (subject, seeds) => ({ name, run: () => eachSeed(seeds, (seed) => body(subject, seed)) })

/** A machine after the first steps of a seed's life. */
const lived = (subject: MachineSubject, steps: readonly Step[]): StateMachine => {
  const machine = subject.machine()
  takeAll(machine, steps)
  return machine
}

const drain = async (body: AsyncIterable<Uint8Array>): Promise<void> => {
  for await (const _ of body);
}

// ---- the state is a function of the sequence of apply and reign ---------------------------------------------------------------------

export const determinism: readonly Case[] = [
  (subject) => ({
    name: 'name: it stands in snapshots, and is the same for every instance',
    run: async () => {
      const { name } = subject.machine()
      assert.match(name, /^[0-9a-z-]{1,32}$/, 'a name has 1 to 32 characters of 0-9 a-z -')
      assert.equal(subject.machine().name, name)
    },
  }),
  perSeed(
    'the state is a function of the sequence of apply and reign calls: two instances give equal replies and hashes',
    (subject, seed) =>
      sameFuture(subject, subject.machine(), subject.machine(), seed, stepsOf(subject, seed, long), 'two instances'),
  ),
  perSeed(
    'no clock, no timer, no randomness is used by apply, reign, query, hash, capture or watch',
    (subject, seed) => {
      const machine = subject.machine()
      const draw = drawOf(seed)
      for (const step of stepsOf(subject, seed, short)) {
        const query = subject.query?.(draw) ?? new Uint8Array([0])
        withoutWorld('a machine', () => {
          take(machine, step)
          machine.query(query)
          machine.hash()
          machine.capture().release()
          if (subject.watch !== undefined) machine.watch?.(subject.watch)?.close()
        })
      }
    },
  ),
  perSeed('hash: 16 hexadecimal digits, and different states are told apart', (subject, seed) => {
    const machine = subject.machine()
    const seen = new Set<string>()
    for (const step of stepsOf(subject, seed, short)) {
      take(machine, step)
      assert.match(machine.hash(), /^[0-9a-f]{16}$/)
      seen.add(machine.hash())
    }
    assert.ok(seen.size > 1, `${short} commands all gave the hash ${machine.hash()}: it says nothing of the state`)
  }),
  perSeed('hash: asking does not change it', (subject, seed) => {
    const machine = lived(subject, stepsOf(subject, seed, short))
    assert.equal(machine.hash(), machine.hash())
  }),
]

// ---- apply and query ------------------------------------------------------------------------------------------------------------------

export const commands: readonly Case[] = [
  perSeed('apply: the command is a view on a larger array, and what is kept is copied', (subject, seed) => {
    const [clean, framed] = [subject.machine(), subject.machine()]
    const replies: [Uint8Array | undefined, Uint8Array | undefined][] = []
    for (const step of stepsOf(subject, seed, long)) replies.push([take(clean, step), takeFromFrame(framed, step)])
    for (const [at, [one, other]] of replies.entries())
      assert.ok(sameBytes(one, other), `reply ${at} is ${hex(other)} for a view, ${hex(one)} for an array`)
    sameState(subject, clean, framed, seed, 'after the memory of the commands was used again')
  }),
  perSeed('apply: the bytes of the command are left as they are', (subject, seed) => {
    const machine = subject.machine()
    for (const step of stepsOf(subject, seed, short)) {
      const before = copyStep(step)
      take(machine, step)
      assert.deepEqual(step, before)
    }
  }),
  perSeed('apply: a malformed command never throws, and gets a reply that is the same everywhere', (subject, seed) => {
    const draw = drawOf(seed)
    const steps = stepsOf(subject, seed, short)
    const [one, other] = [lived(subject, steps), lived(subject, steps)]
    const context = { ...(steps.findLast((step) => step.type === 'apply')?.context ?? assert.fail('no command')) }
    for (let index = 0; index < 400; index++) {
      const command = badCommand(subject, draw, index, (bytes) => mangled(draw, bytes))
      const reply = attempt(`apply(${hex(command)})`, () => one.apply(new Uint8Array(command), context))
      assert.ok(reply instanceof Uint8Array, `apply(${hex(command)}) gave no reply`)
      assert.ok(
        sameBytes(reply, other.apply(new Uint8Array(command), context)),
        `two replies to ${hex(command)} differ`,
      )
    }
    sameState(subject, one, other, seed, 'after malformed commands')
  }),
  (subject) => ({
    name: 'apply: a malformed command has no effect',
    ...(subject.malformed === undefined && { skipped: 'the subject names no malformed commands (option malformed)' }),
    run: async () => {
      const steps = stepsOf(subject, 1, short)
      const [machine, twin] = [lived(subject, steps), lived(subject, steps)]
      const context = { ...(steps.findLast((step) => step.type === 'apply')?.context ?? assert.fail('no command')) }
      for (const command of subject.malformed ?? []) {
        attempt(`apply(${hex(command)})`, () => machine.apply(new Uint8Array(command), context))
        sameState(subject, machine, twin, 1, `after the malformed command ${hex(command)}`)
      }
    },
  }),
  (subject, seeds) => ({
    name: 'query: answers without effect, and leaves the bytes of the query as they are',
    ...(subject.query === undefined && { skipped: 'the subject draws no queries (option query)' }),
    run: () =>
      eachSeed(seeds, (seed) => {
        const machine = lived(subject, stepsOf(subject, seed, short))
        const [hash, draw] = [machine.hash(), drawOf(seed)]
        for (let at = 0; at < 100; at++) {
          const query = subject.query?.(draw) ?? assert.fail('no query')
          const before = new Uint8Array(query)
          const first = new Uint8Array(machine.query(query))
          assert.ok(sameBytes(query, before), `the query ${hex(before)} was changed`)
          assert.ok(sameBytes(first, machine.query(query)), `the query ${hex(before)} has two answers`)
        }
        assert.equal(machine.hash(), hash, 'a query changed the state')
      }),
  }),
  perSeed('query: malformed, it gets a reply that says so, and never throws', (subject, seed) => {
    const machine = lived(subject, stepsOf(subject, seed, short))
    const [hash, draw] = [machine.hash(), drawOf(seed)]
    for (let at = 0; at < 300; at++) {
      const query = mangled(draw, subject.query?.(draw) ?? draw.bytes(20))
      assert.ok(
        attempt(`query(${hex(query)})`, () => machine.query(query)) instanceof Uint8Array,
        `query(${hex(query)}) gave no reply`,
      )
    }
    assert.equal(machine.hash(), hash, 'a malformed query changed the state')
  }),
]

/** @throws Error that says what threw. */
const attempt = <T>(what: string, run: () => T): T => {
  try {
    return run()
  } catch (error) {
    throw new Error(`${what} threw: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

// ---- capture and restore --------------------------------------------------------------------------------------------------------------

const restored = async (subject: MachineSubject, body: Uint8Array, size = 64 * 1024): Promise<StateMachine> => {
  const machine = subject.machine()
  await machine.restore(pieces(body, size))
  return machine
}

export const snapshots: readonly Case[] = [
  perSeed('capture and restore give an equal state, and an equal future', async (subject, seed) => {
    const steps = stepsOf(subject, seed, long)
    const machine = lived(subject, steps.slice(0, short))
    const copy = await restored(subject, await captured(machine))
    sameState(subject, machine, copy, seed, 'after capture and restore')
    sameFuture(subject, machine, copy, seed, steps.slice(short), 'after capture and restore')
  }),
  perSeed('replay equals snapshot and restore at every position', async (subject, seed) => {
    const steps = stepsOf(subject, seed, 40)
    const whole = lived(subject, steps)
    for (let cut = 0; cut <= steps.length; cut++) {
      const machine = await restored(subject, await captured(lived(subject, steps.slice(0, cut))))
      takeAll(machine, steps.slice(cut))
      sameState(subject, whole, machine, seed, `restored after ${cut} of ${steps.length} steps`)
    }
  }),
  perSeed(
    'capture: the body shows the state at the time of the capture, while the machine goes on',
    async (subject, seed) => {
      const steps = stepsOf(subject, seed, long)
      const machine = lived(subject, steps.slice(0, short))
      const then = lived(subject, steps.slice(0, short))
      const capture = machine.capture()
      let at = short
      takeAll(machine, steps.slice(at, at + 60))
      at += 60
      const chunks: Uint8Array[] = []
      for await (const chunk of capture.body()) {
        chunks.push(new Uint8Array(chunk))
        takeAll(machine, steps.slice(at, at + 5))
        at += 5
      }
      takeAll(machine, steps.slice(at))
      capture.release()
      sameState(
        subject,
        then,
        await restored(subject, Buffer.concat(chunks)),
        seed,
        'a body that was read while the machine went on',
      )
      sameState(subject, lived(subject, steps), machine, seed, 'the machine that went on')
    },
  ),
  perSeed('capture: equal states give equal bytes, in chunks of at most 256 KiB', async (subject, seed) => {
    const steps = stepsOf(subject, seed, long)
    const body = await captured(lived(subject, steps))
    assert.ok(sameBytes(body, await captured(lived(subject, steps))), 'two instances give two bodies')
    assert.ok(sameBytes(body, await captured(await restored(subject, body))), 'a restored machine gives another body')
  }),
  perSeed(
    'release: to be called once, whether the body was read or not; the next capture may follow',
    async (subject, seed) => {
      const machine = lived(subject, stepsOf(subject, seed, short))
      const body = await captured(machine)
      machine.capture().release()
      const half = machine.capture()
      for await (const _ of half.body()) break
      half.release()
      assert.ok(sameBytes(body, await captured(machine)), 'a capture after an unread one differs')
    },
  ),
  perSeed('restore: replaces the whole state, and takes chunks of any size', async (subject, seed) => {
    const machine = lived(subject, stepsOf(subject, seed, short))
    const body = await captured(machine)
    const small = lived(subject, stepsOf(subject, seed, 5))
    const over = lived(subject, stepsOf(subject, seed + 1000, short))
    await over.restore(pieces(await captured(small), 1))
    sameState(subject, small, over, seed, 'a small state, restored byte by byte over a large one')
    for (const size of [97, 4096, Math.max(1, body.length)]) {
      const other = lived(subject, stepsOf(subject, seed + 1000, short))
      await other.restore(pieces(body, size))
      sameState(subject, machine, other, seed, `restored in chunks of ${size} over another state`)
      sameFuture(subject, await restored(subject, body), other, seed, stepsOf(subject, seed + 5, 30), 'after that')
    }
  }),
  perSeed(
    'restore: all or nothing: MalformedBytes if the body does not parse, and the state is as before',
    async (subject, seed) => {
      const draw = drawOf(seed)
      const body = await captured(lived(subject, stepsOf(subject, seed, short)))
      const steps = stepsOf(subject, seed + 1000, short)
      const [machine, twin] = [lived(subject, steps), lived(subject, steps)]
      for (let at = 0; at < 60; at++) {
        const bad = at < 20 ? body.slice(0, draw.below(body.length)) : mangled(draw, body)
        const failure = await machine.restore(pieces(bad, 1 + draw.below(5000))).then(
          () => undefined,
          (error: unknown) => error,
        )
        // A change that parses is another state, which nobody can tell from a true one: begin anew.
        if (failure === undefined) await machine.restore(pieces(await captured(twin), 4096))
        else
          assert.ok(
            failure instanceof MalformedBytes,
            `restore rejected with ${String(failure)}, not with MalformedBytes`,
          )
        sameState(subject, machine, twin, seed, `after a malformed body (attempt ${at})`)
      }
      sameFuture(subject, machine, twin, seed, stepsOf(subject, seed + 5, 30), 'after malformed bodies')
    },
  ),
  perSeed('restore: a body that fails on its way leaves the state as before', async (subject, seed) => {
    const body = await captured(lived(subject, stepsOf(subject, seed, short)))
    const steps = stepsOf(subject, seed + 1000, short)
    const [machine, twin] = [lived(subject, steps), lived(subject, steps)]
    for (const part of [0, 0.3, 0.9, 1]) {
      const broken = async function* (): AsyncGenerator<Uint8Array> {
        yield* pieces(body.slice(0, Math.floor(body.length * part)), 1000)
        throw new Error('the disk fails')
      }
      await rejects(() => machine.restore(broken()), /the disk fails/)
      sameState(subject, machine, twin, seed, `after a body that failed at ${part * 100} %`)
    }
  }),
  perSeed('capture: an empty machine has a body too', async (subject, seed) => {
    const body = await captured(subject.machine())
    const machine = lived(subject, stepsOf(subject, seed, short))
    await machine.restore(pieces(body, 4096))
    sameState(subject, subject.machine(), machine, seed, 'restored to the first state')
    await drain(pieces(await bodyOf(machine.capture()), 4096))
  }),
]
