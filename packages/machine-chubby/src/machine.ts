import {
  type ApplyContext,
  type Capture,
  type Epoch,
  type LogTime,
  MalformedBytes,
  type NodeId,
  type Position,
  type Service,
  type StateMachine,
} from '@conclave/interface'
import { Applying } from './applying.ts'
import { decodeCommand, decodeQuery, encodeAnswer, encodeReply } from './codec.ts'
import type { ChubbyCommand } from './commands.ts'
import { EventLog } from './event-log.ts'
import type { ChubbyQuery } from './queries.ts'
import { sessionService } from './service/service.ts'
import { freeze, hashOf, readSnapshot, writeSnapshot } from './snapshot.ts'
import { ChubbyState } from './state.ts'
import { StateView } from './state-view.ts'
import type { ChubbyView } from './view.ts'

export class ChubbyMachine implements StateMachine {
  readonly name = 'chubby'
  #state = new ChubbyState()
  readonly #events = new EventLog()
  #applying = new Applying(this.#state, this.#events)
  readonly view: ChubbyView = new StateView(() => this.#state, this.#events)

  apply(bytes: Uint8Array, { time }: ApplyContext): Uint8Array {
    let command: ChubbyCommand
    try {
      command = decodeCommand(bytes)
    } catch (error) {
      if (error instanceof MalformedBytes) return encodeReply({ status: 'refused', problem: 'malformed' })
      throw error
    }
    if (time > this.#state.time) this.#state.time = time as LogTime
    return encodeReply(this.#applying.apply(command))
  }

  reign(epoch: Epoch, _leader: NodeId, _position: Position): void {
    this.#state.epoch = epoch
  }

  query(bytes: Uint8Array): Uint8Array {
    let query: ChubbyQuery
    try {
      query = decodeQuery(bytes)
    } catch (error) {
      if (error instanceof MalformedBytes) return encodeAnswer({ status: 'refused', problem: 'malformed' })
      throw error
    }
    return encodeAnswer(this.view.answer(query, ''))
  }

  service(): Service {
    return sessionService(this.view)
  }

  capture(): Capture {
    let frozen: ReturnType<typeof freeze> | undefined = freeze(this.#state)
    return {
      body: () => (frozen === undefined ? nothing() : writeSnapshot(frozen)),
      release: () => {
        frozen = undefined
      },
    }
  }

  async restore(body: AsyncIterable<Uint8Array>): Promise<void> {
    this.#state = await readSnapshot(body)
    this.#applying = new Applying(this.#state, this.#events)
    this.#events.forget()
  }

  hash(): string {
    return hashOf(this.#state)
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** The lock service: the state machine `chubby`, and at its leader the session service. */
export const chubbyMachine = (): StateMachine => new ChubbyMachine()
