import type { EngineFactory } from '@conclave/interface'
import type { EngineInsight, PlanOptions } from '@conclave/simulator'
import type { ComplianceOptions } from '../suite.ts'

/** An engine to be tested. */
export interface EngineSubject extends ComplianceOptions {
  readonly factory: EngineFactory
  /** What the simulator may know of the engine beyond its contract: more invariants are checked then. */
  readonly insight?: EngineInsight
  /** What happens in the simulated runs. Default: everything that can go wrong, 2,000 ms of it. */
  readonly simulation?: PlanOptions
  /** Simulated runs. Default: five for each seed. */
  readonly runs?: number
}
