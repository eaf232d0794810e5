import type { Effects, Engine, EngineFactory, Journal, JournalOp } from '@conclave/interface'
import type { Saboteur } from './cluster.ts'

/** Looks at what goes in and changes what comes out of an engine. */
const meddled =
  (change: {
    drain?: (effects: Effects, engine: Engine) => Effects
    step?: (engine: Engine, ...args: Parameters<Engine['step']>) => void
  }) =>
  (factory: EngineFactory): EngineFactory => ({
    ...factory,
    create: (init) => {
      const engine = factory.create(init)
      return {
        supports: engine.supports,
        step: (input, now) => (change.step === undefined ? engine.step(input, now) : change.step(engine, input, now)),
        drain: () => (change.drain === undefined ? engine.drain() : change.drain(engine.drain(), engine)),
        status: () => engine.status(),
      }
    },
  })

/** Raft's metadata is `version u8 · term u53 · voted u8 · vote`: keeps the term, forgets the vote. */
const forgetVote = (op: JournalOp): JournalOp => {
  if (op.type !== 'meta') return op
  const bytes = op.bytes.slice(0, 10)
  bytes[9] = 0
  return { type: 'meta', bytes }
}

const dropOps =
  (type: JournalOp['type']) =>
  (effects: Effects): Effects =>
    effects.write === undefined
      ? effects
      : { ...effects, write: { ...effects.write, ops: effects.write.ops.filter((op) => op.type !== type) } }

/** Answers reads from whatever this node knows, without asking anyone. */
const staleReads = (): NonNullable<Saboteur['engine']> => {
  const answered = new WeakMap<Engine, Effects['settle'][number][]>()
  return meddled({
    step: (engine, input, now) => {
      if (input.type !== 'read') return engine.step(input, now)
      const settle = answered.get(engine) ?? []
      settle.push({ id: input.id, outcome: { type: 'readAt', position: engine.status().decided } })
      answered.set(engine, settle)
    },
    drain: (effects, engine) => {
      const settle = answered.get(engine) ?? []
      answered.delete(engine)
      return { ...effects, settle: [...effects.settle, ...settle] }
    },
  })
}

const doneAtOnce = (journal: Journal): Journal => ({
  open: (events) => journal.open(events),
  write: (ops, done) => {
    let told = false
    const once = (error?: Error): void => {
      if (!told || error !== undefined) done(error)
      told = true
    }
    journal.write(ops, (error) => error !== undefined && once(error))
    queueMicrotask(() => once())
  },
  stage: (id, body, signal) => journal.stage(id, body, signal),
  discard: (id) => journal.discard(id),
  readSnapshot: (id) => journal.readSnapshot(id),
  stats: () => journal.stats(),
  close: () => journal.close(),
})

/** Each breaks one rule on purpose. A harness that does not notice is worth nothing. */
export const saboteurs: Readonly<Record<string, Saboteur>> = {
  'a disk that drops the syncs of groups': { disk: (disk) => disk.faults.skippedSyncs.add('group') },
  'a journal that says done before the sync': { journal: doneAtOnce },
  'a replica that lets every message leave before its write': {
    engine: meddled({
      drain: (effects) => ({ ...effects, send: effects.send.map((send) => ({ ...send, early: true as const })) }),
    }),
  },
  'an engine that forgets its vote': {
    engine: meddled({
      drain: (effects) =>
        effects.write === undefined
          ? effects
          : { ...effects, write: { ...effects.write, ops: effects.write.ops.map(forgetVote) } },
    }),
  },
  'an engine that does not record truncations': { engine: meddled({ drain: dropOps('truncateFrom') }) },
  'an engine that reads without a quorum': { engine: staleReads() },
  'a client that gives a retry new serials': { renumberRetries: true },
  'an engine that never restores': {
    engine: meddled({
      drain: ({ restore: _restore, ...effects }) => effects,
    }),
  },
}
