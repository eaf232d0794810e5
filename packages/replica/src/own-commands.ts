import {
  encodeBlock,
  type Random,
  replyStatus,
  sessionCommands,
  sessionsMachine,
  sessionWindow,
  visitReplies,
} from '@conclave/interface'
import type { BlockDone, BlockOutcome } from './proposals.ts'

export interface OwnCommandsInit {
  readonly machine: number
  /** For the id of the session. */
  readonly random: Random
  readonly submit: (block: Uint8Array, done: BlockDone) => void
}

/** Commands that may be undecided; more of them, and the oldest is given up: it is of an earlier reign, unless a service proposes without measure. */
const maxUndecided = sessionWindow

interface OwnCommand {
  readonly bytes: Uint8Array
  readonly serial: number
  sent: boolean
}

/**
 * What a service proposes on its own behalf goes through the table of sessions as a client's commands do, so that each is applied once however often it was sent. While this
 * node does not lead they wait; one whose fate is unknown is sent again, as it was, when it leads again: what is not settled keeps the table from forgetting the replies to it.
 */
export class OwnCommands {
  readonly #init: OwnCommandsInit
  readonly #queue = new Set<OwnCommand>()
  #session: bigint
  #state: 'closed' | 'opening' | 'open' = 'closed'
  #serial = 1
  #leads = false

  constructor(init: OwnCommandsInit) {
    this.#init = init
    this.#session = this.#newSession()
  }

  #newSession(): bigint {
    const half = (): bigint => BigInt(Math.floor(this.#init.random.next() * 0x1_0000_0000))
    return (half() << 32n) | half()
  }

  add(bytes: Uint8Array): void {
    const oldest = this.#oldest
    if (this.#queue.size >= maxUndecided && oldest !== undefined) this.#queue.delete(oldest)
    this.#queue.add({ bytes, serial: this.#serial++, sent: false })
    this.pump()
  }

  leads(leads: boolean): void {
    this.#leads = leads
    this.pump()
  }

  /** Sends what waits. Called again and again: what was refused for now is tried anew. */
  pump(): void {
    if (!this.#leads || this.#queue.size === 0) return
    if (this.#state === 'closed') return this.#open()
    if (this.#state === 'opening') return
    for (const command of this.#queue) if (!command.sent) this.#send(command)
  }

  get #oldest(): OwnCommand | undefined {
    for (const command of this.#queue) return command
    return undefined
  }

  /** Everything below is settled, or given up. */
  get #ackedBelow(): number {
    return this.#oldest?.serial ?? this.#serial
  }

  #open(): void {
    this.#state = 'opening'
    const open = { serial: 0, machine: sessionsMachine, bytes: Uint8Array.of(sessionCommands.openOwn) }
    this.#init.submit(encodeBlock(this.#session, 0, [open]), (outcome) => {
      this.#state = statusOf(outcome) === replyStatus.applied ? 'open' : 'closed'
      if (this.#state === 'open') this.pump()
    })
  }

  #send(command: OwnCommand): void {
    const session = this.#session
    command.sent = true
    const { machine, submit } = this.#init
    submit(encodeBlock(session, this.#ackedBelow, [{ ...command, machine }]), (outcome) => {
      command.sent = false
      const status = statusOf(outcome)
      if (status === replyStatus.unknownSession) return this.#sessionGone(session)
      // Beyond the window it had no effect: it is tried again when older ones are settled.
      if (status !== undefined && status !== replyStatus.beyondWindow) this.#queue.delete(command)
    })
  }

  /** The table has forgotten it. One that is undecided may then be applied twice: its epoch keeps it from doing harm. */
  #sessionGone(session: bigint): void {
    if (session !== this.#session) return
    this.#session = this.#newSession()
    this.#state = 'closed'
  }
}

/** Of the only command of a block that was decided. */
const statusOf = (outcome: BlockOutcome): number | undefined => {
  if (outcome.type !== 'replies') return undefined
  let found: number | undefined
  visitReplies(outcome.bytes, (_serial, status) => {
    found = status
  })
  return found
}
