import {
  type CallReply,
  type ChubbyCall,
  type ChubbyCommand,
  type ChubbyQuery,
  type CommandReply,
  decodeCallReply,
  decodeReply,
  encodeCall,
  encodeCommand,
  type Problem,
  type QueryReply,
} from '@conclave/machine-chubby'
import { FileProblem } from './errors.ts'
import type { LockPort } from './port.ts'

export interface CallsInit {
  readonly port: LockPort
  /** Fires when the session is over, with why. */
  readonly over: AbortSignal
  /** The cluster knows no such session: is to end this one. */
  readonly unknown: () => void
}

/** What a session asks of the cluster, for as long as it lives. */
export class Calls {
  readonly #init: CallsInit

  constructor(init: CallsInit) {
    this.#init = init
  }

  /** @throws SessionLost, FileProblem. */
  async command(command: ChubbyCommand, path: string): Promise<Exclude<CommandReply, { status: 'refused' }>> {
    const { port, over } = this.#init
    over.throwIfAborted()
    const reply = await port.command(encodeCommand(command), over).then(decodeReply, (error: unknown) => {
      throw over.aborted ? over.reason : error
    })
    over.throwIfAborted()
    if (reply.status !== 'refused') return reply
    throw this.refusal(reply.problem, path, reply.detail)
  }

  /** @throws SessionLost. */
  ask(call: ChubbyCall, target: 'leader' | 'any'): Promise<CallReply> {
    const { port, over } = this.#init
    over.throwIfAborted()
    return new Promise((resolve, reject) => {
      let giveUp = (): void => {}
      const lost = (): void => {
        giveUp()
        reject(over.reason)
      }
      const end = (): void => over.removeEventListener('abort', lost)
      // Before it is asked: that may fail at once.
      over.addEventListener('abort', lost, { once: true })
      giveUp = port.ask(
        encodeCall(call),
        target,
        (reply) => {
          end()
          try {
            resolve(decodeCallReply(reply))
          } catch (error) {
            reject(error)
          }
        },
        (error) => {
          end()
          reject(error)
        },
      )
    })
  }

  /** Of the leader, or of any node. @throws SessionLost. */
  async query(query: ChubbyQuery, local = false): Promise<QueryReply> {
    const reply = await this.ask({ type: 'query', local, query }, local ? 'any' : 'leader')
    return reply.type === 'answer' ? reply.reply : { status: 'refused', problem: 'malformed' }
  }

  /** What a refusal is thrown as. Of a session that is not there, it ends that. */
  refusal(problem: Problem, path: string, detail?: bigint): unknown {
    const { over, unknown } = this.#init
    if (problem === 'no-session') unknown()
    return over.aborted ? over.reason : new FileProblem(problem, path, detail)
  }
}
