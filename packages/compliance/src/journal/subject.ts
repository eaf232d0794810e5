import type { Journal, Random } from '@conclave/interface'
import type { ComplianceOptions } from '../suite.ts'

/** Something that goes wrong for a while. */
export interface Episode {
  begin(): unknown
  end(): unknown
}

/** A place for one journal, empty at first, and what can be done to it. A test that needs what is not there is skipped, with the reason. */
export interface JournalStore {
  /** A journal over this place, not opened yet. The one before was closed or crashed. */
  journal(): Journal
  /** A journal over this place while the other one is open, as another process would have it. */
  rival?(): Journal
  /** Power is lost: nothing of the present journal happens any more, and the next one finds what survived. */
  crash?(random: Random): unknown
  /** In between, no write is reported as done. */
  readonly hold?: Episode
  /** In between, every sync fails. */
  readonly failing?: Episode
  /** In between, there is no room for more. */
  readonly full?: Episode
  /** Changes a bit of these bytes wherever they stand on the medium. */
  corrupt?(bytes: Uint8Array): Promise<void>
  /** Called when the test is over. */
  dispose?(): Promise<void>
}

/** A journal to be tested. */
export interface JournalSubject extends ComplianceOptions {
  /** As it stands in reports. */
  readonly name: string
  /** A place of its own for each test. */
  store(): JournalStore | Promise<JournalStore>
  /** Crashes per seed. Default 150: all of them, if there are fewer points. */
  readonly crashes?: number
}
