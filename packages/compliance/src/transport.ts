/**
 * The suite of transports.
 *
 * @packageDocumentation
 */
import { Suite, seedsOf } from './suite.ts'
import { links, messages } from './transport/messages.ts'
import type { TransportSubject } from './transport/subject.ts'
import { aborts, flow, outcomes } from './transport/transfers.ts'

export { type ComplianceOptions, Suite, type SuiteTest, type TestRunner } from './suite.ts'
export type { TransportMember, TransportNetwork, TransportSubject } from './transport/subject.ts'

/**
 * What `Transport` of `@conclave/interface` promises, sentence by sentence. Asks for one network at once, to see what it offers.
 * @throws RangeError for a number of seeds that is none.
 */
export const transportCompliance = async (subject: TransportSubject): Promise<Suite> => {
  const seeds = seedsOf(subject)
  const network = await subject.network()
  await network.dispose?.()
  return new Suite(`the transport ${subject.name}`, subject, [
    ...messages(subject, seeds),
    ...links(subject, network),
    ...outcomes(subject),
    ...aborts(subject),
    ...flow(subject),
  ])
}
