import { type Epoch, seededRandom } from '@conclave/interface'
import {
  type CallReply,
  type ChubbyCall,
  type ChubbyCommand,
  type CommandReply,
  decodeCall,
  decodeCommand,
  encodeCallReply,
  encodeReply,
  type NumberedNotice,
} from '@conclave/machine-chubby'
import { expect } from 'vitest'
import type { LockPort } from '../src/locks/port.ts'
import { Session, type SessionOptions } from '../src/locks/session.ts'
import { ManualClock, quiet } from './fake-cluster.ts'

interface Asked {
  readonly call: ChubbyCall
  readonly sentAt: number
  readonly reply: (reply: CallReply) => Promise<void>
  readonly fail: (error: unknown) => Promise<void>
  withdrawn: boolean
}

export const grant = { mode: 'exclusive', token: 7n, lockGeneration: 1n, instance: 3n } as const
export const lease = 12_000
/** The part of a lease that a client counts on. */
export const counted = 0.95

/** A cell of one answer for each question, which the test gives; commands are answered at once, as it says. */
export class FakeCell implements LockPort {
  readonly clock = new ManualClock()
  readonly random = seededRandom(1)
  readonly cluster = 'cell'
  readonly principal = 'me'
  readonly commands: ChubbyCommand[] = []
  asked: Asked[] = []
  epoch = 1n as Epoch
  answer: (command: ChubbyCommand) => CommandReply | Promise<CommandReply> = ({ type }) =>
    type === 'open'
      ? { status: 'opened', created: false, instance: 3n, contentGeneration: 1n, lock: { state: 'held', ...grant } }
      : { status: 'done', token: 0n }

  ask(
    request: Uint8Array,
    _target: 'leader' | 'any',
    done: (reply: Uint8Array, sentAt: number) => void,
    failed: (error: unknown) => void,
  ): () => void {
    const sentAt = this.clock.now()
    const asked: Asked = {
      call: decodeCall(request),
      sentAt,
      reply: (reply) => {
        this.asked = this.asked.filter((each) => each !== asked)
        done(encodeCallReply(reply), sentAt)
        return quiet()
      },
      fail: (error) => {
        this.asked = this.asked.filter((each) => each !== asked)
        failed(error)
        return quiet()
      },
      withdrawn: false,
    }
    this.asked.push(asked)
    return () => {
      asked.withdrawn = true
      this.asked = this.asked.filter((each) => each !== asked)
    }
  }

  async command(bytes: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted()
    const command = decodeCommand(bytes)
    this.commands.push(command)
    return encodeReply(await this.answer(command))
  }

  /** What is asked of this kind, of which there is one. */
  one(type: ChubbyCall['type']): Asked {
    const found = this.asked.filter(({ call }) => call.type === type)
    expect(found).toHaveLength(1)
    return found[0] as Asked
  }

  /** Answers the KeepAlive that is under way. */
  alive(extension: { lease?: number; heldFor?: number } = {}, ...notices: NumberedNotice[]): Promise<void> {
    const { lease: length = lease, heldFor = 0 } = extension
    return this.one('keepAlive').reply({ type: 'alive', epoch: this.epoch, lease: length, heldFor, notices })
  }
}

export const begin = async (options: SessionOptions = {}) => {
  const cell = new FakeCell()
  const session = await Session.begin(cell, options)
  const told: string[] = []
  for (const event of ['jeopardy', 'safe', 'expired'] as const) session.on(event, () => told.push(event))
  return { cell, session, told, clock: cell.clock }
}

export const opened = (more: Partial<CommandReply & { readonly status: 'opened' }> = {}): CommandReply => ({
  status: 'opened',
  created: false,
  instance: 3n,
  contentGeneration: 1n,
  ...more,
})
export const openedHeld = opened({ lock: { state: 'held', ...grant } })
export const openedQueued = opened({ lock: { state: 'queued', position: 1 } })
export const done: CommandReply = { status: 'done', token: 0n }
export const never: Promise<CommandReply> = new Promise(() => {})

/** What has become of a promise. */
export const watched = (work: Promise<unknown>): { state: 'pending' | 'resolved' | 'rejected'; value?: unknown } => {
  const seen: ReturnType<typeof watched> = { state: 'pending' }
  work.then(
    (value) => Object.assign(seen, { state: 'resolved', value }),
    (value: unknown) => Object.assign(seen, { state: 'rejected', value }),
  )
  return seen
}
