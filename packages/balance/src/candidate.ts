/** What a request can be sent to. Strategies know a candidate by its `id`: a new object with the same id is the same candidate. */
export interface BalanceCandidate {
  /** Unique among the candidates of a call. Hashing strategies place a candidate by it. */
  readonly id: string
  /** Its share, relative to those of the others: a finite number from 0 up. 0 gets nothing. Default 1. Strategies that know no weights ignore it. */
  readonly weight?: number
  /** Where it is, for `localityFirst`: the name of a zone or a region. */
  readonly locality?: string
  /** For `priorities`: 0 is used first. Default 0. */
  readonly priority?: number
}

/** What a strategy has to know of a request. */
export interface BalanceRequest {
  /** Requests with the same key belong together: hashing strategies send them to the same candidate. A text is hashed as UTF-8. */
  readonly key?: string | Uint8Array
}
