import type { Epoch, LogTime, NodeId, Position } from './brands.ts'
import type { Service } from './service.ts'

/** Where in the total order a command stands. The same on every replica. */
export interface ApplyContext {
  readonly position: Position
  readonly time: LogTime
  /** The reign under which the command was proposed. */
  readonly epoch: Epoch
}

/** A captured state. `body` may be read once, while the machine goes on: it shows the state at the time of the capture. */
export interface Capture {
  /** In chunks of at most 256 KiB. Deterministic: equal states give equal bytes. */
  body(): AsyncIterable<Uint8Array>
  /** Gives what the capture holds back. To be called once, read or not. */
  release(): void
}

/** The outcome of `watch`: a pull-based feed, so that a slow watcher costs a cursor, not a queue. */
export interface Feed {
  /**
   * Encoded events since the last call, oldest first, together at most about `mostBytes`; undefined if there is nothing new.
   * `ended` (the history that this feed needs is gone) is told once, by an event in the machine's own encoding, after which only undefined follows.
   */
  poll(mostBytes: number): Uint8Array | undefined
  close(): void
}

/**
 * A deterministic state machine. Its state is a function of the sequence of `apply` and `reign` calls: no clock, no randomness, no iteration
 * order that depends on anything else. It runs in a browser as it is.
 */
export interface StateMachine {
  /** As it stands in snapshots: `kv`, `chubby`. */
  readonly name: string
  /**
   * Applies one command and returns its reply. The command is a view on a larger array: copy what is kept.
   * A malformed command has no effect and gets a reply that says so: it never throws. A throw stops the node.
   */
  apply(command: Uint8Array, context: ApplyContext): Uint8Array
  /** A new reign begins at this position. */
  reign?(epoch: Epoch, leader: NodeId, position: Position): void
  /** Answers from the present state, without effect. Malformed: a reply that says so, never a throw. */
  query(query: Uint8Array): Uint8Array
  /** Starts a feed. Undefined: the machine has none, or the request is malformed. */
  watch?(request: Uint8Array): Feed | undefined
  /** Makes what a node does for clients of this machine besides the log. Called at most once in the life of a machine. Absent: nothing. */
  service?(): Service
  /** Cheap (copy on write, not a copy); the body is then written in the background. At most one capture is open at a time. */
  capture(): Capture
  /** Replaces the whole state; all or nothing. @throws MalformedBytes if the body does not parse; the state is then as before. */
  restore(body: AsyncIterable<Uint8Array>): Promise<void>
  /** Equal states have equal hashes. 16 hexadecimal digits; costs a pass over the state unless kept incrementally. */
  hash(): string
}
