import { ConclaveError } from '@conclave/interface'

/** A value is no workload. The message begins with the path of the field that is wrong. */
export class InvalidWorkload extends ConclaveError {
  override readonly name = 'InvalidWorkload'
  readonly code = 'invalid-workload'
  readonly definite = true
  /** The field that is wrong, such as `servers[2].queue`; empty for the whole. */
  readonly path: string

  constructor(path: string, what: string) {
    super(path === '' ? what : `${path}: ${what}`)
    this.path = path
  }
}
