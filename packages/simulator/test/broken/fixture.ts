import type { EngineFactory } from '@conclave/interface'
import type { Hooks, Parts, Violation } from '@conclave/simulator'
import { type Edit, loadBroken } from '@conclave/torture'

/** The real thing with one mistake. */
export interface Fixture {
  readonly name: string
  /** What it breaks, and where that is stated. */
  readonly rule: string
  readonly edits: readonly Edit[]
  /** For mistakes of the environment and of clients, which are no lines of ours. */
  readonly hooks?: Hooks
  /** Lease reads are on in every run: without them the mistake has no effect. */
  readonly leases?: true
  /** What has to find it: that something else goes wrong as well is not enough. Default: any. */
  readonly invariant?: Violation['invariant']
  /** The first seed of its campaign, for one that is rare: from 1 it takes about as many runs more. Default 1. */
  readonly from?: number
}

/** Whether a run has found the mistake. */
export const finds = ({ invariant }: Fixture, violation: Violation | undefined): boolean =>
  violation !== undefined && (invariant === undefined || violation.invariant === invariant)

/** `sound` with the fixture's mistake in it. `engine`: the package and the export that make the engine. */
export const brokenParts = async (
  sound: Parts,
  engine: { readonly from: string; readonly name: string },
  { name, edits, hooks }: Fixture,
): Promise<Parts> => {
  const users = edits.some(({ file }) => file.startsWith('engine-parts/')) ? [engine.from] : []
  const modules = await loadBroken(name, edits, users)
  const made = modules.get(engine.from)?.[engine.name] as EngineFactory | undefined
  const replica = modules.get('replica') as Pick<Parts, 'createReplica'> | undefined
  const journal = modules.get('journal-file') as Pick<Parts, 'fileJournal'> | undefined
  const locks = modules.get('machine-chubby')?.chubbyMachine as Parts['locks']
  const session = modules.get('client')?.Session as Parts['session']
  return {
    ...sound,
    ...(made !== undefined && { engine: made }),
    ...(replica?.createReplica !== undefined && { createReplica: replica.createReplica }),
    ...(journal?.fileJournal !== undefined && { fileJournal: journal.fileJournal }),
    ...(locks !== undefined && { locks }),
    ...(session !== undefined && { session }),
    ...(hooks !== undefined && { hooks: { ...sound.hooks, ...hooks } }),
  }
}
