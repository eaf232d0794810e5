import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Round } from './nemesis.ts'
import type { Options } from './options.ts'
import type { RunResult } from './run.ts'

const countBy = <T>(values: readonly T[], nameOf: (value: T) => string): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const value of values) counts[nameOf(value)] = (counts[nameOf(value)] ?? 0) + 1
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => a.localeCompare(b)))
}

/** What could not be decided is no pass. */
const verdictOf = ({ violations, checked }: RunResult): 'ok' | 'unknown' | 'violated' => {
  if (violations.length > 0) return 'violated'
  return checked === undefined || checked.undecidedKeys.length > 0 ? 'unknown' : 'ok'
}

/** The round after which a write had to wait longest. */
const slowestOf = (rounds: readonly Round[]): Round | undefined =>
  rounds.toSorted((a, b) => (b.recoveredMillis ?? 0) - (a.recoveredMillis ?? 0))[0]

/** The figures of a run, as they go into `--json`. */
export const reportOf = (options: Options, result: RunResult) => {
  const faults = result.rounds.flatMap((round) => round.faults)
  const slowest = slowestOf(result.rounds)
  const survived = result.rounds.filter(({ recoveredMillis }) => recoveredMillis !== undefined)
  const undecided = result.checked?.undecidedKeys ?? []
  return {
    verdict: verdictOf(result),
    engine: options.engine,
    seed: options.seed,
    minutes: Number((result.seconds / 60).toFixed(2)),
    ...(result.early ? { endedEarly: true } : {}),
    nodes: options.nodes,
    leases: options.leases,
    ...result.place,
    faults: {
      injected: faults.length,
      survived: survived.flatMap((round) => round.faults).length,
      byKind: countBy(faults, ({ kind }) => kind),
      atTheLeader: faults.filter(({ leader, text }) => leader !== undefined && text.includes(leader)).length,
    },
    rounds: result.rounds.length,
    recoveryMillis: {
      longest: Math.round(slowest?.recoveredMillis ?? 0),
      /** The faults that it followed. */
      after: slowest?.faults.map(({ at, kind }) => `${kind} at ${(at / 1000).toFixed(1)} s`) ?? [],
      bound: options.boundMillis,
    },
    longestUnavailabilityMillis: result.longestUnavailabilityMillis,
    operations: {
      total: result.operations.length,
      byOutcome: countBy(result.operations, ({ outcome }) => outcome),
      byKind: countBy(result.operations, ({ kind }) => kind),
      errors: countBy(
        result.operations.filter(({ error }) => error !== undefined),
        ({ error = '', outcome }) => `${error}, ${outcome}`,
      ),
    },
    watchedWrites: result.events,
    locks: {
      held: result.holds.length,
      lost: result.holds.filter(({ lost }) => lost).length,
      highestToken: result.holds.reduce((highest, { token }) => Math.max(highest, Number(token)), 0),
    },
    linearizability: { keys: result.checked?.keys ?? 0, undecided, steps: result.checked?.steps ?? 0 },
    memberChanges: result.memberChanges,
    elections: result.elections,
    ...result.snapshots,
    violations: result.violations.map(({ check, text }) => ({ check, text })),
  }
}
export type Report = ReturnType<typeof reportOf>

const list = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')

/** The report for people. */
export const summaryOf = (report: Report): string => {
  const { faults, operations, recoveryMillis, linearizability } = report
  const lines = [
    `${report.nodes} nodes on ${report.engine} for ${report.minutes} minutes, seed ${report.seed}, ${report.mode}${report.leases ? ', leases' : ''}, data on ${report.fileSystem} (${report.disks})`,
    ...report.without.map((text) => `without ${text}`),
    `faults      ${faults.injected} injected in ${report.rounds} rounds, ${faults.survived} survived, ${faults.atTheLeader} at the leader`,
    `            ${list(faults.byKind)}`,
    `operations  ${operations.total}: ${list(operations.byOutcome)}`,
    `            ${list(operations.byKind)}`,
    ...(Object.keys(operations.errors).length === 0 ? [] : [`            ${list(operations.errors)}`]),
    `writes      ${report.watchedWrites} seen by the watch`,
    `locks       held ${report.locks.held} times, lost ${report.locks.lost} times, tokens up to ${report.locks.highestToken}`,
    `checker     ${linearizability.keys} keys, ${linearizability.steps} steps${linearizability.undecided.map((key) => `, undecided ${key}`).join('')}`,
    `elections   ${report.elections}; snapshots taken ${report.snapshotsCaptured}, installed ${report.snapshotsInstalled}`,
    ...(Object.keys(report.memberChanges).length === 0 ? [] : [`members     ${list(report.memberChanges)}`]),
    `recovery    at most ${recoveryMillis.longest} ms after healing (bound ${recoveryMillis.bound} ms): ${recoveryMillis.after.join(', ')}`,
    `            longest time without a write ${report.longestUnavailabilityMillis} ms`,
    ...report.violations.map(({ check, text }) => `VIOLATION   ${check}: ${text}`),
    `verdict     ${report.verdict}`,
  ]
  return lines.join('\n')
}

/** Puts drawings of violations beside the logs. @returns the files. */
export const writeDrawings = (result: RunResult): string[] =>
  result.violations.flatMap(({ svg, drawing }, at) =>
    Object.entries({ svg, txt: drawing }).flatMap(([kind, content]) => {
      if (content === undefined) return []
      const file = join(result.directory, `violation-${at + 1}.${kind}`)
      writeFileSync(file, content)
      return [file]
    }),
  )

/** The first drawing, for the terminal. */
export const drawingOf = ({ violations }: RunResult): string => violations.find(({ drawing }) => drawing)?.drawing ?? ''
