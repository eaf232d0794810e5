/** The parts of a node with somebody who looks on: same behaviour, and each step is told. */
import type { ApplyContext, EngineFactory, Journal, NodeId, Service, StateMachine, Status } from '@conclave/interface'
import type { Watcher } from './observation.ts'

export const watchedEngine = (
  factory: EngineFactory,
  { life, version, torn }: { readonly life: number; readonly version: 1 | 2; readonly torn: boolean },
  tell: Watcher,
): EngineFactory => ({
  ...factory,
  create: (init) => {
    const node = init.self
    // The engine owns what it is given: looked at before.
    const engine = factory.create({
      ...init,
      recovered: { ...init.recovered, entries: init.recovered.entries.slice() },
    })
    const { supports } = engine
    tell({ type: 'started', node, life, recovered: init.recovered, version, supports, torn })
    let before: Status | undefined
    return {
      supports,
      step: (input, now) => {
        tell({ type: 'stepped', node, input })
        engine.step(input, now)
      },
      drain: () => {
        const effects = engine.drain()
        const status = engine.status()
        tell({ type: 'drained', node, effects, status, ...(before !== undefined && { before }) })
        before = status
        return effects
      },
      status: () => engine.status(),
    }
  },
})

/** Tells when a write is durable, and passes the news on up to `delay` milliseconds later, in order. */
export const watchedJournal = (
  journal: Journal,
  node: NodeId,
  tell: Watcher,
  later: (run: () => void) => void,
): Journal => {
  let writes = 0
  return {
    open: (events) => journal.open(events),
    write: (ops, done) => {
      const write = ++writes
      journal.write(ops, (error) => {
        if (error === undefined) tell({ type: 'durable', node, write })
        later(() => done(error))
      })
    },
    stage: (id, body, signal) => journal.stage(id, body, signal),
    discard: (id) => journal.discard(id),
    readSnapshot: (id) => journal.readSnapshot(id),
    stats: () => journal.stats(),
    close: () => journal.close(),
  }
}

export const watchedMachine = (machine: StateMachine, node: NodeId, tell: Watcher): StateMachine => ({
  ...lookedThrough(machine),
  apply: (command: Uint8Array, context: ApplyContext) => {
    const reply = machine.apply(command, context)
    tell({ type: 'applied', node, position: context.position, command, reply })
    return reply
  },
})

/** The lock service. Under which reign it is, the log tells it. */
export const watchedLocks = (machine: StateMachine, node: NodeId, life: number, tell: Watcher): StateMachine => {
  const watched = watchedMachine(machine, node, tell)
  let epoch = 0n
  return {
    ...watched,
    apply: (command: Uint8Array, context: ApplyContext) => {
      const reply = watched.apply(command, context)
      const { position, time } = context
      tell({ type: 'locks', node, life, position, time, epoch, command, reply, machine })
      return reply
    },
    reign: (...news) => {
      epoch = news[0]
      machine.reign?.(...news)
    },
  }
}

const lookedThrough = (machine: StateMachine): Omit<StateMachine, 'apply'> => ({
  name: machine.name,
  query: (query) => machine.query(query),
  ...(machine.watch !== undefined && { watch: (request: Uint8Array) => machine.watch?.(request) }),
  ...(machine.reign !== undefined && {
    reign: (...news: Parameters<NonNullable<StateMachine['reign']>>) => machine.reign?.(...news),
  }),
  ...(machine.service !== undefined && { service: () => machine.service?.() as Service }),
  capture: () => machine.capture(),
  restore: (body) => machine.restore(body),
  hash: () => machine.hash(),
})
