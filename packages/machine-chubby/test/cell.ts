import { type ApplyContext, epoch, type LogTime, nodeId, position, type StateMachine } from '@conclave/interface'
import {
  type AddressedEvent,
  type ChubbyCommand,
  type ChubbyQuery,
  type CommandReply,
  decodeReply,
  encodeCommand,
  type OpenCommand,
  type QueryReply,
} from '../src/index.ts'
import { ChubbyMachine } from '../src/machine.ts'

export const opening: Omit<OpenCommand, 'session' | 'handle' | 'path'> = {
  type: 'open',
  access: { read: true, write: true, changeAcl: true },
  subscriptions: [],
  lockDelay: 0,
  create: 'missing',
  kind: 'file',
  ephemeral: false,
  parents: true,
  contents: new Uint8Array(0),
}

/** A machine that is fed by hand: one command after the other, each at the next position. */
export class Cell {
  readonly machine = new ChubbyMachine()
  #position = 0
  #epoch = epoch(0n)
  time = 0

  get view(): ChubbyMachine['view'] {
    return this.machine.view
  }

  reign(number: bigint): void {
    this.#epoch = epoch(number)
    this.machine.reign(this.#epoch, nodeId('n1'), position(++this.#position))
  }

  get context(): ApplyContext {
    return { position: position(++this.#position), time: this.time as LogTime, epoch: this.#epoch }
  }

  apply(command: ChubbyCommand): CommandReply {
    return decodeReply(this.machine.apply(encodeCommand(command), this.context))
  }

  /** Begins sessions, each of a principal of its own. */
  sessions(...ids: bigint[]): void {
    for (const session of ids) this.apply({ type: 'createSession', session, principal: `p${session}`, lease: 1000 })
  }

  open(session: bigint, handle: number, path: string, more: Partial<OpenCommand> = {}): CommandReply {
    return this.apply({ ...opening, ...more, session, handle, path })
  }

  /** Asks for a lock, in line; the answer in a few words. */
  lock(session: bigint, handle: number, path: string, more: Partial<OpenCommand> = {}): string {
    return wordsOf(this.open(session, handle, path, { lock: { mode: 'exclusive', queue: true }, ...more }))
  }

  close(session: bigint, handle: number): void {
    this.apply({ type: 'close', session, handle })
  }

  ask(query: ChubbyQuery, principal = 'p1'): QueryReply {
    return this.machine.view.answer(query, principal)
  }

  /** What happened since the last call, in a few words each. */
  events(): string[] {
    return this.machine.view.takeEvents().map(wordsOfEvent)
  }
}

const wordsOf = (reply: CommandReply): string => {
  if (reply.status === 'refused') return reply.problem
  const lock = reply.status === 'opened' || reply.status === 'lock' ? reply.lock : undefined
  if (lock === undefined) return reply.status
  if (lock.state === 'held') return `${lock.mode} ${lock.token}`
  return lock.state === 'queued' ? `behind ${lock.position}` : lock.delayed ? 'delayed' : 'busy'
}

const wordsOfEvent = ({ session, event }: AddressedEvent): string => {
  const to = `${session}.${event.handle}`
  switch (event.type) {
    case 'granted':
      return `${to} granted ${event.mode} ${event.token}`
    case 'children':
      return `${to} ${event.change} ${event.name}`
    case 'contents':
      return `${to} contents ${event.contentGeneration}`
    default:
      return `${to} ${event.type}`
  }
}

/** A copy of a machine, by way of a snapshot. */
export const copyOf = async (machine: StateMachine): Promise<ChubbyMachine> => {
  const capture = machine.capture()
  const chunks: Uint8Array[] = []
  for await (const chunk of capture.body()) chunks.push(chunk.slice())
  capture.release()
  const copy = new ChubbyMachine()
  await copy.restore(
    (async function* () {
      yield* chunks
    })(),
  )
  return copy
}
