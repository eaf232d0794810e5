import { raft } from '@conclave/engine-raft'
import type {
  Effects,
  Engine,
  EngineFactory,
  EngineInit,
  Input,
  Monotonic,
  Position,
  WriteId,
} from '@conclave/interface'

/** What stands around an engine that is otherwise right. */
interface Around {
  step?(engine: Engine, input: Input, now: Monotonic): void
  drain?(effects: Effects, engine: Engine): Effects
  init?(init: EngineInit): EngineInit
}

/** @param make called for every engine that is made. */
const around = (make: () => Around): EngineFactory => ({
  ...raft,
  create: (init) => {
    const { step, drain, init: begin } = make()
    const engine = raft.create(begin?.(init) ?? init)
    return {
      supports: engine.supports,
      step: (input, now) => (step === undefined ? engine.step(input, now) : step(engine, input, now)),
      drain: () => drain?.(engine.drain(), engine) ?? engine.drain(),
      status: () => engine.status(),
    }
  },
})

const effects = (change: (effects: Effects, engine: Engine) => Effects): EngineFactory =>
  around(() => ({ drain: change }))
const inputs = (step: (engine: Engine, input: Input, now: Monotonic) => void): EngineFactory => around(() => ({ step }))

let madeSoFar = 0

/** Raft, broken in one way; and the test that has to see it. */
export const brokenEngines: Readonly<Record<string, { readonly found: string; readonly factory: EngineFactory }>> = {
  'marks its acknowledgements as early': {
    found: 'the durability rule: acknowledgements wait for the disk',
    factory: effects((given) => ({ ...given, send: given.send.map((send) => ({ ...send, early: true })) })),
  },
  'marks its votes as early': {
    found: 'the durability rule: nobody is elected while',
    // With its own vote counted at once: what it has not written, it believes written.
    factory: around(() => ({
      step: (engine, input, now) => engine.step(input, now),
      drain: (given, engine) => {
        if (given.write !== undefined) engine.step({ type: 'persisted', write: given.write.id }, 0 as Monotonic)
        return { ...given, send: given.send.map((send) => ({ ...send, early: true })) }
      },
    })),
  },
  'counts its own entry before it is durable': {
    found: 'the durability rule: the leader’s own vote',
    factory: effects((given, engine) => {
      if (given.write !== undefined) engine.step({ type: 'persisted', write: given.write.id }, 0 as Monotonic)
      return given
    }),
  },
  'forgets its votes in a restart': {
    found: 'create: from every prefix',
    factory: effects(({ write, ...rest }) => {
      if (write === undefined) return rest
      return { ...rest, write: { ...write, ops: write.ops.filter(({ type }) => type !== 'meta') } }
    }),
  },
  'settles a proposal twice': {
    found: 'settle: every proposal settles exactly once',
    factory: effects((given) => ({ ...given, settle: given.settle.flatMap((one) => [one, one]) })),
  },
  'never settles what another leader decided': {
    found: 'settle: every proposal settles exactly once',
    factory: effects((given) => ({
      ...given,
      settle: given.settle.filter(({ outcome }) => outcome.type !== 'refused'),
    })),
  },
  'numbers its writes from 0': {
    found: 'write: ids rise by one from 1',
    factory: around(() => ({
      step: (engine, input, now) =>
        engine.step(input.type === 'persisted' ? { ...input, write: (input.write + 1) as WriteId } : input, now),
      drain: (given) =>
        given.write === undefined
          ? given
          : { ...given, write: { ...given.write, id: (given.write.id - 1) as WriteId } },
    })),
  },
  'decides an entry twice': {
    found: 'decide: contiguous',
    factory: effects((given) => ({ ...given, decide: given.decide.flatMap((one) => [one, one]) })),
  },
  'decides what one node says alone': {
    found: 'decide: one total order',
    factory: around(() => {
      let mine = 0
      return {
        drain: (given, engine) => ({
          ...given,
          decide: given.decide.map((one) =>
            one.type === 'batch' && ++mine % 10 === 0 && !engine.status().leading
              ? { ...one, batch: new Uint8Array([1]) }
              : one,
          ),
        }),
      }
    }),
  },
  'throws at an empty message': {
    found: 'receive: a malformed message is dropped and counted',
    factory: inputs((engine, input, now) => {
      if (input.type === 'receive' && input.message.length === 0) throw new RangeError('no type')
      engine.step(input, now)
    }),
  },
  'does not count what it drops': {
    found: 'receive: a malformed message is dropped and counted',
    factory: {
      ...raft,
      create: (init) => {
        const engine = raft.create(init)
        return {
          supports: engine.supports,
          step: (input, now) => engine.step(input, now),
          drain: () => engine.drain(),
          status: () => ({ ...engine.status(), malformed: 0 }),
        }
      },
    },
  },
  'looks at the clock': {
    found: 'no clock, no timer, no randomness',
    factory: inputs((engine, input, now) => {
      if (input.type === 'tick' && Date.now() < 0) return
      engine.step(input, now)
    }),
  },
  'draws from a source of its own': {
    found: 'a pure state machine: the same inputs',
    factory: around(() => ({
      init: (init) => {
        madeSoFar++
        const shift = (madeSoFar * 0.37) % 1
        return { ...init, random: { next: () => (init.random.next() + shift) % 1 } }
      },
    })),
  },
  'writes on the messages that it gets': {
    found: 'the bytes of messages and batches are read',
    factory: inputs((engine, input, now) => {
      engine.step(input.type === 'receive' ? { ...input, message: new Uint8Array(input.message) } : input, now)
      if (input.type === 'receive') input.message.fill(0)
    }),
  },
  'reads without asking a quorum': {
    found: 'read: a leader that is cut off serves no linearizable',
    factory: around(() => {
      const settled: Effects['settle'][number][] = []
      return {
        step: (engine, input, now) => {
          const { leading, decided } = engine.status()
          if (input.type === 'read' && leading)
            settled.push({ id: input.id, outcome: { type: 'readAt', position: decided as Position } })
          else engine.step(input, now)
        },
        drain: (given) => ({ ...given, settle: [...given.settle, ...settled.splice(0)] }),
      }
    }),
  },
  'goes on with a read that was cancelled': {
    found: 'cancel: nobody waits',
    factory: inputs((engine, input, now) => {
      if (input.type !== 'cancel') engine.step(input, now)
    }),
  },
  'does not tell who leads': {
    found: 'leader: told at every change',
    factory: effects(({ leader: _, ...rest }) => rest),
  },
  'takes any snapshot that is offered': {
    found: 'snapshotOffered: a malformed header',
    factory: around(() => {
      const answers: { from: Extract<Input, { type: 'snapshotOffered' }>['from']; accept: boolean }[] = []
      return {
        step: (engine, input, now) => {
          if (input.type === 'snapshotOffered') answers.push({ from: input.from, accept: true })
          else engine.step(input, now)
        },
        drain: (given) => (answers.length > 0 ? { ...given, answerSnapshot: answers.splice(0) } : given),
      }
    }),
  },
  'keeps the log below its snapshot': {
    found: 'captured: named in the write',
    factory: effects(({ write, ...rest }) => {
      if (write === undefined) return rest
      return { ...rest, write: { ...write, ops: write.ops.filter(({ type }) => type !== 'compactTo') } }
    }),
  },
  'never campaigns again': {
    found: 'when everything is healed',
    factory: around(() => {
      let ticks = 0
      return {
        step: (engine, input, now) => {
          if (input.type === 'tick' && ++ticks > 200) return
          engine.step(input, now)
        },
      }
    }),
  },
}
