/** A sequencer: what a holder hands to servers, so that they can tell whether it still holds the lock (section 2.4 of the paper). */
import type { Grant } from './replies.ts'

export interface Sequencer extends Grant {
  readonly path: string
}
