/**
 * The suite of engines.
 *
 * @packageDocumentation
 */
import { nodeId, type Supports, seededRandom } from '@conclave/interface'
import { basics, durability, malformed } from './engine/cases.ts'
import { roomy } from './engine/cell.ts'
import { timing } from './engine/node.ts'
import { offers } from './engine/offers.ts'
import type { EngineSubject } from './engine/subject.ts'
import { simulated, storms } from './engine/worlds.ts'
import { Suite, seedsOf } from './suite.ts'

export type { EngineSubject } from './engine/subject.ts'
export { type ComplianceOptions, Suite, type SuiteTest, type TestRunner } from './suite.ts'

const supportsOf = ({ factory }: EngineSubject): Supports => {
  const self = nodeId('n1')
  const founders = { members: [{ id: self, name: 'n1', addresses: [], role: 'voter' as const }] }
  const random = seededRandom(1)
  return factory.create({ self, founders, recovered: { entries: [] }, timing, random, limits: roomy, leases: true })
    .supports
}

/**
 * What `Engine` of `@conclave/interface` promises, sentence by sentence; then in storms of messages and crashes; then with everything around it in the
 * simulator. Makes one engine at once, to see what it supports.
 * @throws RangeError for a number of seeds that is none.
 */
export const engineCompliance = (subject: EngineSubject): Suite => {
  const seeds = seedsOf(subject)
  return new Suite(`the engine ${subject.factory.name}`, subject, [
    ...basics(subject),
    ...durability(subject),
    ...malformed(subject, seeds),
    ...offers(subject, supportsOf(subject)),
    ...storms(subject, seeds),
    simulated(subject, seeds),
  ])
}
