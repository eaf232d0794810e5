import type { StateMachine } from '@conclave/interface'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeCountReply,
  decodeEvents,
  decodeGetReply,
  decodeListReply,
  decodeWriteReply,
  encodeBound,
  encodeDelete,
  encodeKey,
  encodePut,
  encodeQuery,
  encodeWatch,
  type KvEvent,
  kvMachine,
  prefixInterval,
} from '../src/index.ts'
import { bodyOf, context, Model, pieces, plain, text } from './model.ts'

// Few keys, so that they meet; among them some whose order in UTF-16 is not that of their bytes.
const keys = fc.constantFrom('a', 'ab', 'abc', 'b', 'ba', 'é', 'z', '\uffee', '\u{1f600}', '\u{10ffff}', 'a\0', '~')
const write = fc.record({
  key: fc.oneof(
    keys,
    fc.nat(300).map((n) => `k${n}`),
  ),
  value: fc.string({ maxLength: 12 }),
  operation: fc.constantFrom('put', 'put', 'put', 'delete'),
  condition: fc.constantFrom('none', 'none', 'current', 'absent', 'wrong'),
})
type Write = typeof write extends fc.Arbitrary<infer T> ? T : never

const conditionOf = (model: Model, { key, condition }: Write): bigint | undefined => {
  if (condition === 'none') return undefined
  if (condition === 'absent') return 0n
  const current = model.entries.get(key)?.modified ?? 0n
  return condition === 'current' ? current : current + 1n
}

const applyBoth = (machine: StateMachine, model: Model, step: Write): void => {
  const ifRevision = conditionOf(model, step)
  const before = model.entries.get(step.key)?.modified ?? 0n
  const key = encodeKey(step.key)
  const encoded =
    step.operation === 'put' ? encodePut(key, text.encode(step.value), ifRevision) : encodeDelete(key, ifRevision)
  // A Buffer, as it comes from a socket: its `slice` shares memory.
  const command = Buffer.from(encoded)
  const reply = decodeWriteReply(machine.apply(command, context))
  // What was applied must not depend on the command's memory any more.
  command.fill(0xaa)
  const revision =
    step.operation === 'put' ? model.put(step.key, step.value, ifRevision) : model.delete(step.key, ifRevision)
  if (revision === undefined) expect(reply).toEqual({ status: 'mismatch', current: before })
  else expect(reply).toEqual({ status: 'done', revision, previous: before })
}

const listAll = (machine: StateMachine, from: Uint8Array, to: Uint8Array, limit: number) => {
  const found: [string, unknown][] = []
  for (let next: Uint8Array | undefined = from; next !== undefined; ) {
    const page = decodeListReply(machine.query(encodeQuery({ type: 'list', from: next, to, limit, keysOnly: false })))
    expect(page.entries.length).toBeLessThanOrEqual(limit)
    for (const { key, value, createRevision, modRevision, version } of page.entries) {
      found.push([key, { value: plain.decode(value), created: createRevision, modified: modRevision, version }])
    }
    next = page.next
  }
  return found
}

const expectSame = (machine: StateMachine, model: Model): void => {
  const none = encodeBound('')
  expect(listAll(machine, none, none, 7)).toEqual(model.sorted())
  const prefix = prefixInterval(encodeBound('a'))
  expect(listAll(machine, prefix.from, prefix.to, 2)).toEqual(model.sorted().filter(([key]) => key.startsWith('a')))
  const count = decodeCountReply(machine.query(encodeQuery({ type: 'count', ...prefix })))
  expect(count).toEqual({
    revision: model.revision,
    count: model.sorted().filter(([key]) => key.startsWith('a')).length,
  })
}

const eventsFrom = (
  machine: StateMachine,
  fromRevision: bigint,
  mostBytes: number,
): readonly KvEvent[] | 'compacted' => {
  const none = encodeBound('')
  const feed = machine.watch?.(encodeWatch({ from: none, to: none, fromRevision, keysOnly: false }))
  const events: KvEvent[] = []
  for (let bytes = feed?.poll(mostBytes); bytes !== undefined; bytes = feed?.poll(mostBytes)) {
    const told = decodeEvents(bytes)
    if (told.type === 'compacted') return 'compacted'
    events.push(...told.events)
  }
  return events
}

describe('the store is the model', () => {
  test('after any writes, through snapshots and restores at any point', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(write, { maxLength: 400 }),
        fc.array(fc.nat(400), { maxLength: 3 }),
        async (steps, cuts) => {
          let machine = kvMachine()
          const model = new Model()
          for (const [index, step] of steps.entries()) {
            applyBoth(machine, model, step)
            if (!cuts.includes(index)) continue
            const other = kvMachine()
            await other.restore(pieces(await bodyOf(machine), 1 + index))
            expect(other.hash()).toBe(machine.hash())
            machine = other
          }
          expectSame(machine, model)
          const events = eventsFrom(machine, 1n, 64)
          expect(events === 'compacted' ? events : events.map(({ key, revision }) => ({ key, revision }))).toEqual(
            model.events.map(({ key, revision }) => ({ key, revision })),
          )
        },
      ),
      { numRuns: 60 },
    )
  })

  test('equal states have equal hashes and equal snapshots, however they came about', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(write, { minLength: 1, maxLength: 300 }), fc.nat(299), async (steps, cut) => {
        const straight = kvMachine()
        const model = new Model()
        for (const step of steps) applyBoth(straight, model, step)

        const detour = kvMachine()
        const again = new Model()
        for (const step of steps.slice(0, cut)) applyBoth(detour, again, step)
        const middle = await bodyOf(detour)
        await detour.restore(pieces(middle, 100))
        for (const step of steps.slice(cut)) applyBoth(detour, again, step)

        expect(detour.hash()).toBe(straight.hash())
        expect(Buffer.compare(await bodyOf(detour), await bodyOf(straight))).toBe(0)
      }),
      { numRuns: 60 },
    )
  })

  test('a capture shows its own time while writes go on', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(write, { maxLength: 300 }),
        fc.array(write, { maxLength: 300 }),
        async (before, after) => {
          const machine = kvMachine()
          const model = new Model()
          for (const step of before) applyBoth(machine, model, step)
          const still = await bodyOf(machine)
          const hash = machine.hash()

          const capture = machine.capture()
          const chunks: Uint8Array[] = []
          const rest = [...after]
          for await (const chunk of capture.body()) {
            chunks.push(chunk.slice())
            for (const step of rest.splice(0, 20)) applyBoth(machine, model, step)
          }
          for (const step of rest) applyBoth(machine, model, step)
          capture.release()

          expect(Buffer.compare(Buffer.concat(chunks), still)).toBe(0)
          const copy = kvMachine()
          await copy.restore(pieces(still, 4096))
          expect(copy.hash()).toBe(hash)
          expectSame(machine, model)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('a bounded history gives a suffix without gaps, or says that it is compacted', () => {
    fc.assert(
      fc.property(
        fc.array(write, { maxLength: 200 }),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(220),
        (steps, events, from) => {
          const machine = kvMachine({ history: { events, bytes: 4096 } })
          const model = new Model()
          for (const step of steps) applyBoth(machine, model, step)
          const told = eventsFrom(machine, BigInt(from + 1), 128)
          const wanted = model.events.filter(({ revision }) => revision > BigInt(from))
          if (told === 'compacted') expect(wanted.length).toBeGreaterThan(0)
          else expect(told.map(({ revision }) => revision)).toEqual(wanted.map(({ revision }) => revision))
          if (wanted.length > 0 && wanted.length <= Math.min(events, 40)) expect(told).not.toBe('compacted')
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe('bytes from outside', () => {
  test('no command, query or watch makes the store throw or, malformed, change', () => {
    const seeds = [
      encodePut(encodeKey('k'), text.encode('v'), 3n),
      encodeDelete(encodeKey('k')),
      encodeQuery({ type: 'list', from: encodeBound('a'), to: encodeBound('b'), limit: 3, keysOnly: true }),
      encodeWatch({ from: encodeBound('a'), to: encodeBound(''), fromRevision: 1n, keysOnly: false }),
    ]
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.tuple(fc.constantFrom(...seeds), fc.nat(60), fc.nat(255), fc.nat(60)).map(([seed, at, byte, cut]) => {
        const bytes = seed.slice(0, cut)
        if (at < bytes.length) bytes[at] = byte
        return bytes
      }),
    )
    fc.assert(
      fc.property(fc.array(noise, { maxLength: 50 }), (inputs) => {
        const machine = kvMachine()
        machine.apply(encodePut(encodeKey('k'), text.encode('v')), context)
        for (const bytes of inputs) {
          const hash = machine.hash()
          const status = machine.apply(bytes, context)[0]
          if (status === 2 || status === 3) expect(machine.hash()).toBe(hash)
          machine.query(bytes)
          machine.watch?.(bytes)?.poll(1000)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('a damaged snapshot is refused and changes nothing', async () => {
    const machine = kvMachine()
    for (let i = 0; i < 50; i++) machine.apply(encodePut(encodeKey(`k${i % 20}`), text.encode(`v${i}`)), context)
    machine.apply(encodeDelete(encodeKey('k3')), context)
    const body = await bodyOf(machine)
    await fc.assert(
      fc.asyncProperty(
        fc.nat(body.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, flip, cut) => {
          const bytes = cut ? body.slice(0, at) : body.slice()
          if (!cut) bytes[at] = (bytes[at] ?? 0) ^ flip
          const other = kvMachine()
          other.apply(encodePut(encodeKey('mine'), text.encode('kept')), context)
          const hash = other.hash()
          await expect(other.restore(pieces(bytes, 64))).rejects.toThrow()
          expect(other.hash()).toBe(hash)
          const get = decodeGetReply(other.query(encodeQuery({ type: 'get', key: encodeKey('mine') })))
          expect(plain.decode(get.entry?.value)).toBe('kept')
        },
      ),
      { numRuns: 300 },
    )
  })
})
