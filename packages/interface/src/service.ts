import type { Epoch, Monotonic } from './brands.ts'
import type { Refusal } from './engine.ts'

/** A call of a client to a machine's service, as long as it is not answered. */
export type CallId = number
/** A command that waits to be let into the log. */
export type AdmissionId = number

export type ServiceInput =
  /** This node leads, and its own reign is applied: what the machine holds now is the state that it begins with. */
  | { readonly type: 'reigns'; readonly epoch: Epoch }
  /** It leads no more. Calls and admissions that wait are settled by whoever drives the service, and are to be forgotten. */
  | { readonly type: 'deposed' }
  /** About every 50 ms; after a process was stopped, one. */
  | { readonly type: 'tick' }
  /** Something was applied to the machine, or a snapshot has replaced its state. */
  | { readonly type: 'applied' }
  /** A client asks. `principal` is its peer id, as its key proved it. `request` may be kept. */
  | { readonly type: 'ask'; readonly call: CallId; readonly principal: string; readonly request: Uint8Array }
  /** Nobody waits for the answer any more; if it comes all the same, nobody hears it. */
  | { readonly type: 'withdrawn'; readonly call: CallId }
  /**
   * A command of a client, before it is proposed: only while this node reigns, and proposed in no other reign than this. It is the only one of its block for a machine with a service,
   * so that it waits for no other in there. `command` may be kept.
   */
  | {
      readonly type: 'admit'
      readonly admission: AdmissionId
      readonly principal: string
      readonly command: Uint8Array
    }
  /** What became of a command that was admitted, in this reign. `unknown`: it may have been applied, or may yet be; what is let in after that is not applied in this reign any more. */
  | { readonly type: 'settled'; readonly admission: AdmissionId; readonly outcome: 'applied' | 'refused' | 'unknown' }
  /** The answer to `confirm`: true if this node still reigned, under the epoch of `reigns`, at some time after it asked. */
  | { readonly type: 'confirmed'; readonly round: number; readonly reigns: boolean }

export interface ServiceEffects {
  /** At most one for each call. A refusal is for the driver's protocol: `not-leader` sends the client to the leader. */
  readonly answers: readonly ({ readonly call: CallId } & (
    | { readonly reply: Uint8Array }
    | { readonly refused: Refusal }
  ))[]
  /** The command may be proposed now, or is refused: then nothing more is told of it. */
  readonly admitted: readonly { readonly admission: AdmissionId; readonly refused?: Refusal }[]
  /** Ask for a round to a quorum, or its equal under a lease, that begins now. Answered by `confirmed`, unless deposed. Rises within a reign. */
  readonly confirm?: number
  /**
   * Commands of the service's own, sent until they are decided: each once, as long as the table of sessions remembers whom they are from. What `applied` brings is all that is told of
   * them. One whose outcome is unknown is sent again, also in a later reign of this node: it has to carry its epoch and have no effect under another. Of more than
   * 65,536 that are undecided the oldest is given up.
   */
  readonly propose: readonly Uint8Array[]
}

/**
 * What a machine's leader does for clients besides the log: what it keeps in memory while it reigns (leases, who caches what), calls that it holds, and
 * commands that have to wait before they are proposed. Pure and synchronous, like an engine: no clock, no randomness, no await. It reads its
 * machine's state as it is applied, and never changes it.
 */
export interface Service {
  /** `now` does not fall, and may jump ahead when the process was stopped. Malformed requests and commands are answered or refused: never a throw. */
  step(input: ServiceInput, now: Monotonic): void
  /** Everything since the last drain. */
  drain(): ServiceEffects
}
