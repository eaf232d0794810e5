import { ConclaveError } from '@conclave/interface'

/** What a peer sent is no frame: a length beyond its bound, or messages that do not fill their frame. The stream is closed. */
export class MalformedFrame extends ConclaveError {
  override readonly name = 'MalformedFrame'
  readonly code = 'malformed-frame'
  readonly definite = true
}

/** The connection was reset, closed or given up. What was sent on it may have arrived, or not. */
export class LinkFailed extends ConclaveError {
  override readonly name = 'LinkFailed'
  readonly code = 'link-failed'
  readonly definite = false
}

/** None of the addresses led to the peer. Nothing was sent. */
export class DialFailed extends ConclaveError {
  override readonly name = 'DialFailed'
  readonly code = 'dial-failed'
  readonly definite = true
}

/** The host could not listen where it was told to: the port is taken, or the address is not this machine's. */
export class ListenFailed extends ConclaveError {
  override readonly name = 'ListenFailed'
  readonly code = 'listen-failed'
  readonly definite = true
}

/** The identity file is unreadable, unfit, or readable by others. */
export class IdentityUnfit extends ConclaveError {
  override readonly name = 'IdentityUnfit'
  readonly code = 'identity-unfit'
  readonly definite = true
}

/** Always an `Error`, whatever was thrown. */
export const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)))
