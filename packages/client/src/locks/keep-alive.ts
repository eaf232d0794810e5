import type { Epoch } from '@conclave/interface'
import { type CallReply, decodeCallReply, encodeCall, type Notice } from '@conclave/machine-chubby'
import { Overloaded } from '../errors.ts'
import type { LockPort } from './port.ts'

/** Clocks of client and leader may differ in rate by so much: the client counts its leases as that much shorter. */
const drift = 0.05

/** Milliseconds until another try, if this one could not even leave. */
const pauseMillis = 100

export interface KeepAliveInit {
  readonly port: LockPort
  readonly session: bigint
  /** A lease lasts until then by the local clock. */
  readonly extended: (deadline: number) => void
  /** Acted on before it is acknowledged. */
  readonly told: (notice: Notice) => void
  /** The cluster knows no such session, or will never answer. */
  readonly over: (why: string) => void
}

/** When a lease ends by the client's own clock, counted from before anything of it was sent. */
export const deadlineOf = (sentAt: number, millis: number): number => sentAt + millis * (1 - drift)

/**
 * One KeepAlive is always under way; the leader holds it until it has something to tell, or the lease is nearly over (section 2.8 of the Chubby paper).
 */
export class KeepAlive {
  readonly #init: KeepAliveInit
  #epoch = 0n as Epoch
  #acked = 0
  #giveUp: () => void = () => {}
  #open = true

  constructor(init: KeepAliveInit) {
    this.#init = init
  }

  start(): void {
    const { port, session } = this.#init
    this.#giveUp = port.ask(
      encodeCall({ type: 'keepAlive', session, epoch: this.#epoch, acked: this.#acked }),
      'leader',
      (bytes, sentAt) => this.#heard(bytes, sentAt),
      (error) => this.#failed(error),
    )
  }

  #failed(error: unknown): void {
    if (!this.#open) return
    // The program has too many other calls under way: as long as the lease lasts, that may pass.
    if (error instanceof Overloaded) this.#init.port.clock.after(pauseMillis, () => this.#again())
    else this.#over(error instanceof Error ? error.message : String(error))
  }

  #again(): void {
    if (this.#open) this.start()
  }

  #heard(bytes: Uint8Array, sentAt: number): void {
    let reply: CallReply
    try {
      reply = decodeCallReply(bytes)
    } catch (error) {
      return this.#failed(error)
    }
    this.#answered(reply, sentAt)
  }

  #answered(reply: CallReply, sentAt: number): void {
    if (!this.#open) return
    if (reply.type !== 'alive') return this.#over('the cluster knows no such session: it has expired, or was ended')
    // What a former leader says is overtaken.
    if (reply.epoch >= this.#epoch) this.#take(reply, sentAt)
    this.#again()
  }

  #take({ epoch, lease, heldFor, notices }: CallReply & { type: 'alive' }, sentAt: number): void {
    if (epoch > this.#epoch) {
      this.#epoch = epoch
      this.#acked = 0
    }
    for (const { serial, notice } of notices) {
      if (serial <= this.#acked) continue
      this.#acked = serial
      this.#init.told(notice)
      if (!this.#open) return
    }
    if (lease > 0) this.#init.extended(deadlineOf(sentAt, heldFor + lease))
  }

  #over(why: string): void {
    if (!this.#open) return
    this.stop()
    this.#init.over(why)
  }

  stop(): void {
    this.#open = false
    this.#giveUp()
  }
}
