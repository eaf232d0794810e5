import { ConclaveError, type Refusal } from '@conclave/interface'

/** An endpoint or another argument of `connect` is unfit. Nothing was started. */
export class InvalidEndpoint extends ConclaveError {
  override readonly name = 'InvalidEndpoint'
  readonly code = 'invalid-endpoint'
  readonly definite = true
}

/**
 * The call was not answered in time. `definite`: it was never sent, or every attempt was refused, and it will not happen.
 * Otherwise an attempt is undecided: it may have happened, or may yet.
 */
export class Unavailable extends ConclaveError {
  override readonly name = 'Unavailable'
  readonly code = 'unavailable'
  readonly definite: boolean

  constructor(message: string, definite: boolean, options?: ErrorOptions) {
    super(message, options)
    this.definite = definite
  }
}

/** The caller's signal fired. `definite` as with `Unavailable`; `cause` is the signal's reason. */
export class Aborted extends ConclaveError {
  override readonly name = 'Aborted'
  readonly code = 'aborted'
  readonly definite: boolean

  constructor(definite: boolean, cause: unknown) {
    super(
      definite ? 'the call was aborted and did not happen' : 'the call was aborted; whether it happened is unknown',
      { cause },
    )
    this.definite = definite
  }
}

/** The cluster, or this client's own queue, had no room for the call until its time was up. It did not happen: try later, or with less at once. */
export class Overloaded extends ConclaveError {
  override readonly name = 'Overloaded'
  readonly code = 'overloaded'
  readonly definite = true
}

/** The cluster refused the call for good, for `reason`. It did not happen. */
export class Refused extends ConclaveError {
  override readonly name = 'Refused'
  readonly code = 'refused'
  readonly definite = true
  readonly reason: Refusal

  constructor(reason: Refusal, message: string) {
    super(message)
    this.reason = reason
  }
}

/** The client's session ended at the cluster while the call was undecided: whether it happened will not be known any more. Read, then decide. */
export class SessionExpired extends ConclaveError {
  override readonly name = 'SessionExpired'
  readonly code = 'session-expired'
  readonly definite = false
}

/** The client was closed. `definite` as with `Unavailable`. */
export class ClientClosed extends ConclaveError {
  override readonly name = 'ClientClosed'
  readonly code = 'client-closed'
  readonly definite: boolean

  constructor(definite: boolean) {
    super(definite ? 'the client is closed' : 'the client was closed; whether the call happened is unknown')
    this.definite = definite
  }
}

/** A watch cannot go on: the events between the last one that it told and `oldest` are gone. List anew, then watch from there. */
export class Compacted extends ConclaveError {
  override readonly name = 'Compacted'
  readonly code = 'compacted'
  readonly definite = true
  /** The first revision from which a watch can begin. */
  readonly oldest: bigint

  constructor(oldest: bigint) {
    super(
      `the history before revision ${oldest} is gone: list the keys anew, then watch from the revision of that list`,
    )
    this.oldest = oldest
  }
}
