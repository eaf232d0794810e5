/**
 * The suite of journals.
 *
 * @packageDocumentation
 */
import { bodies, contents } from './journal/contents.ts'
import { crashes } from './journal/crashes.ts'
import { order } from './journal/order.ts'
import type { JournalSubject } from './journal/subject.ts'
import { Suite, seedsOf } from './suite.ts'

export type { Episode, JournalStore, JournalSubject } from './journal/subject.ts'
export { type ComplianceOptions, Suite, type SuiteTest, type TestRunner } from './suite.ts'

/**
 * What `Journal` of `@conclave/interface` promises, sentence by sentence. Asks for one store at once, to see what it offers.
 * @throws RangeError for a number of seeds that is none.
 */
export const journalCompliance = async (subject: JournalSubject): Promise<Suite> => {
  const seeds = seedsOf(subject)
  const store = await subject.store()
  await store.dispose?.()
  return new Suite(`the journal ${subject.name}`, subject, [
    ...contents(subject),
    ...bodies(subject),
    ...order(subject, store),
    ...crashes(subject, store, seeds),
  ])
}
