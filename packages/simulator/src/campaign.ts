import type { Supports } from '@conclave/interface'
import { Digest } from './digest.ts'
import { type Mark, marksOf } from './marks.ts'
import type { Parts } from './parts.ts'
import type { FaultType } from './plan.ts'
import { type PlanOptions, planOf } from './planning.ts'
import { type RunResult, run } from './run.ts'
import type { Violation } from './world.ts'

/** Campaigns of fewer runs are not judged by the marks that they miss: rare states need many seeds. */
export const leastRunsForMarks = 500

export interface CampaignInit {
  readonly seeds: Iterable<number>
  readonly parts: Parts
  readonly options?: PlanOptions
  /** Told after every run, in the order of the seeds. */
  readonly onRun?: (result: RunResult) => void
  /** Asked after every run. */
  readonly shouldStop?: () => boolean
}

export interface Failure {
  readonly seed: number
  readonly violation: Violation
}

export interface CampaignSummary {
  readonly runs: number
  readonly failures: readonly Failure[]
  /** Operations of clients: sent, and answered. */
  readonly invoked: number
  readonly completed: number
  /** Faults that struck, by kind. */
  readonly faults: Readonly<Partial<Record<FaultType, number>>>
  readonly elections: number
  readonly decided: number
  readonly restarts: number
  readonly snapshots: number
  readonly messages: number
  /** Runs whose history the checker gave up on. */
  readonly unjudged: number
  readonly simulatedMillis: number
  /** How often each mark was reached that is within reach of the engine. */
  readonly marks: ReadonlyMap<string, number>
  /** Marks within reach that no run reached. */
  readonly missing: readonly string[]
  /** Marks that these parts cannot reach, and what is lacking. */
  readonly outOfReach: ReadonlyMap<string, string>
  /** Of all runs: the same seeds, parts and options give the same, whatever the order of the seeds. */
  readonly digest: string
  readonly verdict: 'passed' | 'failed'
  /** Why it failed. */
  readonly reasons: readonly string[]
}

/** What a mark lacks to be within reach. */
const lacks = (
  { needs = [], fault }: Mark,
  supports: Supports,
  { previousEngine }: Parts,
  { faults = 'all', leases, nodes }: PlanOptions,
): string | undefined => {
  if (fault !== undefined && faults !== 'all' && !faults.includes(fault)) return `no ${fault}`
  if (leases === false && needs.includes('leases')) return 'no leases'
  if (nodes === 1) return 'more than one node'
  const missing = needs.filter((need) => (need === 'previous-engine' ? previousEngine === undefined : !supports[need]))
  return missing.length === 0 ? undefined : missing.join(', ')
}

/** A run in which only nodes of an older version came up offers less than the others: what any run offers is within reach. */
const either = (a: Supports, b: Supports): Supports => ({
  snapshots: a.snapshots || b.snapshots,
  reads: a.reads || b.reads,
  membership: a.membership || b.membership,
  learners: a.learners || b.learners,
  transfer: a.transfer || b.transfer,
  leases: a.leases || b.leases,
})

/** The sum of runs, in whatever order they ended: the same runs give the same summary. */
export class Campaign {
  readonly #parts: Parts
  readonly #options: PlanOptions
  readonly #failures: Failure[] = []
  readonly #faults: Partial<Record<FaultType, number>> = {}
  readonly #hits = new Map<string, number>()
  readonly #digests: { readonly seed: number; readonly digest: string }[] = []
  readonly #sums = {
    runs: 0,
    invoked: 0,
    completed: 0,
    elections: 0,
    decided: 0,
    restarts: 0,
    snapshots: 0,
    messages: 0,
    unjudged: 0,
    simulatedMillis: 0,
  }
  #supports: Supports | undefined

  constructor(parts: Parts, options: PlanOptions = {}) {
    this.#parts = parts
    this.#options = options
  }

  add(result: RunResult): void {
    const { seed, counts, violation } = result
    this.#sums.runs++
    for (const name of [
      'invoked',
      'completed',
      'elections',
      'decided',
      'restarts',
      'snapshots',
      'messages',
      'unjudged',
    ] as const)
      this.#sums[name] += counts[name]
    this.#sums.simulatedMillis += result.simulatedMillis
    for (const [type, times] of Object.entries(counts.faults) as [FaultType, number][])
      this.#faults[type] = (this.#faults[type] ?? 0) + times
    for (const [mark, times] of result.marks) this.#hits.set(mark, (this.#hits.get(mark) ?? 0) + times)
    this.#digests.push({ seed, digest: result.digest })
    this.#supports = this.#supports === undefined ? result.supports : either(this.#supports, result.supports)
    if (violation !== undefined) this.#failures.push({ seed, violation })
  }

  summary(): CampaignSummary {
    const marks = new Map<string, number>()
    const missing: string[] = []
    const outOfReach = new Map<string, string>()
    const supports = this.#supports
    const sets = marksOf(this.#options.workload ?? 'kv', this.#parts.insight?.marks)
    for (const mark of sets.flatMap((set) => set.marks)) {
      const lacking =
        this.#parts.insight?.exempt?.get(mark.name) ?? (supports && lacks(mark, supports, this.#parts, this.#options))
      if (lacking !== undefined) {
        outOfReach.set(mark.name, lacking)
        continue
      }
      const times = this.#hits.get(mark.name) ?? 0
      marks.set(mark.name, times)
      if (times === 0) missing.push(mark.name)
    }
    const reasons = this.#reasons(missing)
    return {
      ...this.#sums,
      failures: this.#failures.toSorted((a, b) => a.seed - b.seed),
      faults: this.#faults,
      marks,
      missing,
      outOfReach,
      digest: this.#digest(),
      verdict: reasons.length === 0 ? 'passed' : 'failed',
      reasons,
    }
  }

  #reasons(missing: readonly string[]): string[] {
    const { runs, invoked, completed, unjudged } = this.#sums
    const reasons: string[] = []
    if (this.#failures.length > 0) reasons.push(`${this.#failures.length} of ${runs} runs failed`)
    if (runs === 0) reasons.push('nothing was run')
    else if (invoked === 0) reasons.push('no operation was begun: an idle world proves nothing')
    else if (completed * 2 < invoked)
      reasons.push(
        `only ${completed} of ${invoked} operations were completed: a world that is almost idle proves little`,
      )
    if (unjudged > 0) reasons.push(`${unjudged} of ${runs} histories have no verdict`)
    if (runs >= leastRunsForMarks && missing.length > 0)
      reasons.push(`never reached: ${missing.join('; ')}${this.#hint}`)
    return reasons
  }

  get #hint(): string {
    return this.#parts.insight === undefined
      ? ' (what this engine cannot reach it says in `exempt` of the `insight` that it exports)'
      : ''
  }

  #digest(): string {
    const digest = new Digest()
    for (const run of this.#digests.toSorted((a, b) => a.seed - b.seed)) digest.add(`${run.seed} ${run.digest}`)
    return digest.text
  }
}

/** Runs the plans of many seeds, one after the other. */
export const campaign = async ({
  seeds,
  parts,
  options = {},
  onRun,
  shouldStop,
}: CampaignInit): Promise<CampaignSummary> => {
  const sum = new Campaign(parts, options)
  for (const seed of seeds) {
    const result = await run(planOf(seed, options), parts)
    sum.add(result)
    onRun?.(result)
    if (shouldStop?.() === true) break
  }
  return sum.summary()
}

const counted = (count: number): string => count.toString().replace(/\B(?=(\d{3})+$)/g, ',')

/** Short of the runs by which marks count, no more than how many there are. */
const marksReport = ({ runs, marks, missing, outOfReach }: CampaignSummary): readonly string[] => {
  const reached = `${counted(marks.size - missing.length)} of ${counted(marks.size)} marks reached`
  if (runs < leastRunsForMarks)
    return [`${reached}, ${counted(outOfReach.size)} out of reach (they count from ${leastRunsForMarks} runs on)`]
  return [
    reached,
    ...missing.map((mark) => `  not reached: ${mark}`),
    ...[...outOfReach].map(([mark, lacking]) => `  out of reach (${lacking}): ${mark}`),
  ]
}

/** The summary for people. Says nothing of real time: whoever measured it adds that. */
export const reportOf = (summary: CampaignSummary): string => {
  const { runs, failures, invoked, completed, faults, simulatedMillis } = summary
  const faultCount = Object.values(faults).reduce((sum, times) => sum + times, 0)
  const lines = [
    `${counted(runs)} runs, ${(simulatedMillis / 3_600_000).toFixed(2)} simulated hours: ${counted(failures.length)} failed`,
    `${counted(completed)} of ${counted(invoked)} operations completed; ${counted(summary.decided)} entries decided, ${counted(summary.elections)} elections, ${counted(summary.restarts)} restarts, ${counted(summary.snapshots)} snapshots installed, ${counted(summary.messages)} messages`,
    `${counted(faultCount)} faults: ${Object.entries(faults)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([type, times]) => `${type} ${counted(times)}`)
      .join(', ')}`,
    ...marksReport(summary),
    ...(summary.unjudged > 0 ? [`${counted(summary.unjudged)} histories without a verdict`] : []),
    ...failures.map(({ seed, violation }) => `seed ${seed}: ${violation.invariant}: ${violation.what}`),
    `digest ${summary.digest}`,
    summary.verdict === 'passed' ? 'passed' : `FAILED: ${summary.reasons.join('; ')}`,
  ]
  return lines.join('\n')
}
