import { defaultPatienceMillis, withPatience } from './patience.ts'

/** One promise of a contract, and how to see that it is kept. */
export interface SuiteTest {
  /** The sentence of the contract. */
  readonly name: string
  /** Why this test does not apply to what is tested; it is not run then. */
  readonly skipped?: string
  /** Rejects if the promise is broken. */
  run(): Promise<void>
}

/** What vitest, node:test, mocha and jest have in common. */
export interface TestRunner {
  describe(name: string, body: () => void): unknown
  readonly test: {
    (name: string, body: () => Promise<void>): unknown
    skip(name: string, body: () => Promise<void>): unknown
  }
  /** `after` or `afterAll`. With it, the report is printed at the end. */
  after?(body: () => void): unknown
}

export interface ComplianceOptions {
  /** Seeds of each test that draws what it does. Default: `COMPLIANCE_SEEDS` of the environment, else 3. At least 1. */
  readonly seeds?: number
  /** The first of them. Default 1. */
  readonly seed?: number
  /** Milliseconds after which something that has to happen is given up. Default 15,000; give the runner's own time-out a minute. */
  readonly patienceMillis?: number
}

export type Outcome = 'passed' | 'failed' | 'skipped' | 'not run'

const defaultSeeds = 3
const mostSeeds = 1_000_000

/** The seeds of a run. @throws RangeError */
export const seedsOf = (options: ComplianceOptions = {}): readonly number[] => {
  const { seed = 1 } = options
  const count = options.seeds ?? Number(process.env.COMPLIANCE_SEEDS ?? defaultSeeds)
  if (!Number.isSafeInteger(count) || count < 1 || count > mostSeeds)
    throw new RangeError(`the number of seeds is 1 to ${mostSeeds}, got ${count} (option seeds, or COMPLIANCE_SEEDS)`)
  return Array.from({ length: count }, (_, at) => seed + at)
}

const seedsText = (seeds: readonly number[]): string =>
  seeds.length === 1 ? `seed ${seeds[0]}` : `seeds ${seeds[0]} to ${seeds.at(-1)}`

/** The tests of one contract for one implementation. */
export class Suite {
  readonly title: string
  readonly seeds: readonly number[]
  readonly tests: readonly SuiteTest[]
  readonly #patienceMillis: number
  readonly #outcomes = new Map<string, Outcome>()

  constructor(title: string, options: ComplianceOptions, tests: readonly SuiteTest[]) {
    const names = new Set(tests.map(({ name }) => name))
    if (names.size !== tests.length) throw new Error(`two tests of "${title}" have one name`)
    this.title = title
    this.seeds = seedsOf(options)
    this.#patienceMillis = options.patienceMillis ?? defaultPatienceMillis
    this.tests = tests.map((test) => this.#observed(test))
  }

  #observed(test: SuiteTest): SuiteTest {
    this.#outcomes.set(test.name, test.skipped === undefined ? 'not run' : 'skipped')
    return {
      ...test,
      run: async () => {
        if (test.skipped !== undefined) return
        this.#outcomes.set(test.name, 'failed')
        await withPatience(this.#patienceMillis, () => test.run())
        this.#outcomes.set(test.name, 'passed')
      },
    }
  }

  /** Hands the tests to a runner. A test that is skipped shows its reason in its name. */
  register({ describe, test, after }: TestRunner): void {
    describe(`${this.title} (${seedsText(this.seeds)})`, () => {
      for (const { name, skipped, run } of this.tests) {
        if (skipped === undefined) test(name, run)
        else test.skip(`${name} (skipped: ${skipped})`, run)
      }
      after?.(() => console.log(this.report()))
    })
  }

  /** Runs the tests without a runner: all, or those of which the name is wanted. @returns the failures, in order. */
  async run(
    wanted: (name: string) => boolean = () => true,
  ): Promise<readonly { readonly name: string; readonly error: unknown }[]> {
    const failures: { name: string; error: unknown }[] = []
    for (const { name, run } of this.tests) {
      if (!wanted(name)) continue
      try {
        await run()
      } catch (error) {
        failures.push({ name, error })
      }
    }
    return failures
  }

  /** What became of each test so far. */
  get outcomes(): ReadonlyMap<string, Outcome> {
    return this.#outcomes
  }

  /** What was run, with which seeds, and what was left out and why; for people. */
  report(): string {
    const count = (wanted: Outcome): number =>
      [...this.#outcomes.values()].filter((outcome) => outcome === wanted).length
    const lines = [
      `${this.title}: ${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped, ${count('not run')} not run; ` +
        `${seedsText(this.seeds)} (COMPLIANCE_SEEDS, or the option seeds, sets how many)`,
    ]
    for (const { name, skipped } of this.tests) {
      if (skipped !== undefined) lines.push(`  skipped: ${name}: ${skipped}`)
      else if (this.#outcomes.get(name) === 'failed') lines.push(`  failed: ${name}`)
    }
    return lines.join('\n')
  }
}

/** Runs `body` for every seed; what it throws names the seed. */
export const eachSeed = async (
  seeds: readonly number[],
  body: (seed: number) => Promise<void> | void,
): Promise<void> => {
  for (const seed of seeds) {
    try {
      await body(seed)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      throw new Error(`seed ${seed}: ${message}`, { cause: error })
    }
  }
}
