import { ConclaveError } from '@conclave/interface'

/** The link between two members failed, or a transfer over it was given up. */
export class MemoryLinkFailed extends ConclaveError {
  override readonly name = 'MemoryLinkFailed'
  readonly code = 'link-failed'
  readonly definite = false
}
