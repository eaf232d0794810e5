/** Engine, journal and transport of a node, as the replica gets them: with what the node has to know and say of them. */
import type { Engine, EngineFactory, Journal, Transport } from '@conclave/interface'
import { EngineCreateFailed } from './engine-errors.ts'
import type { Roster } from './roster.ts'

const isEngine = (made: Partial<Engine> | undefined): boolean =>
  [made?.step, made?.drain, made?.status].every((method) => typeof method === 'function') &&
  typeof made?.supports === 'object'

/** The engine, whose failure at the start tells which one it was. */
export const namedEngine = (factory: EngineFactory): EngineFactory => ({
  name: factory.name,
  contract: factory.contract,
  create: (init) => {
    try {
      const engine = factory.create(init)
      if (isEngine(engine)) return engine
      throw new TypeError('what it makes is no Engine')
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new EngineCreateFailed(`the engine "${factory.name}" cannot start on this node's journal: ${why}`, {
        cause: error,
      })
    }
  },
})

/** The journal, with the record beside it that it exists, made before the engine takes its first step. */
export const recordedJournal = (journal: Journal, record: () => Promise<void>): Journal => ({
  open: async (events) => {
    const state = await journal.open(events)
    await record()
    return state
  },
  write: (ops, done) => journal.write(ops, done),
  stage: (id, body, signal) => journal.stage(id, body, signal),
  discard: (id) => journal.discard(id),
  readSnapshot: (id) => journal.readSnapshot(id),
  stats: () => journal.stats(),
  close: () => journal.close(),
})

/** The transport, which holds links also to members that the engine has not heard of yet, and knows where they are. */
export const rosterTransport = (transport: Transport, roster: Roster): Transport => ({
  self: transport.self,
  start: (handler) => transport.start(handler),
  setPeers: (peers) => {
    roster.setPeers(peers)
    transport.setPeers(roster.links())
  },
  send: (to, message, lane) => transport.send(to, message, lane),
  transfer: (to, header, body, signal) => transport.transfer(to, header, body, signal),
  close: () => transport.close(),
})
