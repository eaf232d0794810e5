import { concatChunks, copyBytes, type Decided, type Position, type StateMachine } from '@conclave/interface'
import { Applier } from './applier.ts'
import { SessionTable } from './sessions.ts'
import { writeBody } from './snapshot-body.ts'

/** The state of a replica without the rest of it: session table and machines, fed by hand. For tests that replay a log. */
export interface Replay {
  /** Up to where everything is applied. */
  readonly position: Position
  /** Takes what was decided next, and applies it in turns of about so many bytes. @throws AssertionFailed unless it follows on `position`. */
  apply(decided: readonly Decided[], turnBytes: number): void
  /** The body of a snapshot of the present state. */
  capture(): Promise<Uint8Array>
  /** Replaces the state by that of a body that was captured at this position. @throws MalformedBytes. */
  restore(body: Uint8Array, at: Position): Promise<void>
  /** Of session table and machines, in this order. */
  hash(): string
}

/** Begins with an empty state. @param machines numbered from 1, as in a replica. */
export const replay = (machines: readonly StateMachine[]): Replay => {
  const sessions = new SessionTable(machines)
  const applier = new Applier(machines, sessions)
  return {
    get position() {
      return applier.point.position
    },
    apply: (decided, turnBytes) => {
      applier.enqueue(decided)
      while (applier.behind) applier.run(turnBytes)
    },
    capture: async () => {
      const held = applier.hold()
      const chunks: Uint8Array[] = []
      for await (const chunk of writeBody(held)) chunks.push(copyBytes(chunk))
      for (const { capture } of held.machines) capture.release()
      return concatChunks(chunks)
    },
    restore: async (body, at) => {
      await applier.restore(once(body), at)
      applier.endRestore()
    },
    hash: () => [sessions.hash(), ...machines.map((machine) => machine.hash())].join(' '),
  }
}

async function* once(body: Uint8Array): AsyncIterable<Uint8Array> {
  yield body
}
