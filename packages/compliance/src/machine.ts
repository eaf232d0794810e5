/**
 * The suite of state machines.
 *
 * @packageDocumentation
 */
import { commands, determinism, snapshots } from './machine/cases.ts'
import { feeds } from './machine/feeds.ts'
import { services } from './machine/services.ts'
import type { MachineSubject } from './machine/subject.ts'
import { Suite, seedsOf } from './suite.ts'

export type { MachineSubject } from './machine/subject.ts'
export { type ComplianceOptions, Suite, type SuiteTest, type TestRunner } from './suite.ts'

/** What `StateMachine` of `@conclave/interface` promises, sentence by sentence. @throws RangeError for a number of seeds that is none. */
export const machineCompliance = (subject: MachineSubject): Suite => {
  const seeds = seedsOf(subject)
  const cases = [...determinism, ...commands, ...snapshots].map((each) => each(subject, seeds))
  return new Suite(`the machine ${subject.name}`, subject, [
    ...cases,
    ...feeds(subject, seeds),
    ...services(subject, seeds),
  ])
}
