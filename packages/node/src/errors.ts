import { ConclaveError } from '@conclave/interface'

/** The configuration does not hold: which key, what is wrong with it, and what is allowed. Nothing was started. */
export class InvalidConfig extends ConclaveError {
  override readonly name = 'InvalidConfig'
  readonly code = 'invalid-config'
  readonly definite = true
  /** One sentence per problem. */
  readonly problems: readonly string[]

  constructor(source: string, problems: readonly string[]) {
    super(`${source} is not a valid node configuration:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
    this.problems = problems
  }
}

/** The data directory does not belong to this node, or has lost a part that a voter cannot do without. Nothing was started. */
export class DataDirectoryRefused extends ConclaveError {
  override readonly name = 'DataDirectoryRefused'
  readonly code = 'data-directory-refused'
  readonly definite = true
}
