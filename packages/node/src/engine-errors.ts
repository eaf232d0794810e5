import { ConclaveError } from '@conclave/interface'

/** There is no engine of this name, no package, or nothing at this path. */
export class EngineNotFound extends ConclaveError {
  override readonly name = 'EngineNotFound'
  readonly code = 'engine-not-found'
  readonly definite = true
}

/** What was found holds no engine: no entry to import, no export that is one, or several. */
export class NoEngine extends ConclaveError {
  override readonly name = 'NoEngine'
  readonly code = 'no-engine'
  readonly definite = true
}

/** The engine was written for another version of the engines' contract than this build speaks. */
export class WrongContract extends ConclaveError {
  override readonly name = 'WrongContract'
  readonly code = 'engine-contract'
  readonly definite = true
}

/** The engine's module failed while it was imported. */
export class EngineImportFailed extends ConclaveError {
  override readonly name = 'EngineImportFailed'
  readonly code = 'engine-import-failed'
  readonly definite = true
}

/** An engine from elsewhere calls itself as one that comes with Conclave. */
export class EngineNameTaken extends ConclaveError {
  override readonly name = 'EngineNameTaken'
  readonly code = 'engine-name-taken'
  readonly definite = true
}

/** The engine could not be made from what the journal holds. The node did not start. */
export class EngineCreateFailed extends ConclaveError {
  override readonly name = 'EngineCreateFailed'
  readonly code = 'engine-create-failed'
  readonly definite = true
}
