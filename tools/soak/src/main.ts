/** `npm run test:soak`: see `usage` in options.ts. Exit codes: 0 good, 1 a promise was broken or the run failed, 2 usage, 130 ended by a second Ctrl-C. */
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ledger } from './ledger.ts'
import type { FaultRecord } from './nemesis.ts'
import { type Options, optionsOf, UsageError, usage } from './options.ts'
import { drawingOf, reportOf, summaryOf, writeDrawings } from './report.ts'
import { type Progress, run } from './run.ts'

const say = (line: string): void => {
  process.stdout.write(`${process.stdout.isTTY ? '\r\x1b[K' : ''}${line}\n`)
}

const cleanup = async (): Promise<number> => {
  const ledgers = Ledger.abandoned()
  let problems = 0
  for (const ledger of ledgers) {
    const left = await ledger.demolish(false)
    say(left.length === 0 ? `removed what ${ledger.directory} had left behind` : left.join('\n'))
    problems += left.length
  }
  if (ledgers.length === 0) say('no run has left anything behind')
  return problems === 0 ? 0 : 1
}

const progressLine = ({ seconds, faults, counts, leader }: Progress, minutes: number): string => {
  const told = Object.entries(counts)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, count]) => `${name} ${count}`)
  return `${Math.round(seconds)} of ${Math.round(minutes * 60)} s · faults ${faults} · leader ${leader ?? '–'} · ${told.join(' · ')}`
}

/** On a terminal one line that changes each second; elsewhere a line every ten seconds. */
const progressTo = (minutes: number): ((progress: Progress) => void) => {
  let calls = 0
  return (progress) => {
    calls += 1
    const line = progressLine(progress, minutes)
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line.slice(0, (process.stdout.columns ?? 80) - 1)}`)
    else if (calls % 10 === 0) say(line)
  }
}

const faultLine = ({ at, kind, text, lastsMillis, leader }: FaultRecord): string =>
  `${(at / 1000).toFixed(1).padStart(6)} s  ${kind.padEnd(16)} ${text}, for ${(lastsMillis / 1000).toFixed(1)} s (leader ${leader ?? '–'})`

/** Ends now: no checks, but nothing is left behind either. */
let abandoning = false
const abandon = (keep: boolean, code: number): void => {
  if (abandoning) return
  abandoning = true
  void (Ledger.own()?.demolish(keep) ?? Promise.resolve([])).then((left) => {
    for (const text of left) console.error(`not removed: ${text}`)
    process.exit(code)
  })
}

const soak = async (options: Options): Promise<number> => {
  const ending = new AbortController()
  let log: string | undefined
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (ending.signal.aborted) return abandon(false, 130)
      say(`${signal}: healing, checking and cleaning up; again: end at once`)
      ending.abort()
    })
  }
  process.on('uncaughtException', (error) => {
    console.error(error)
    abandon(true, 1)
  })
  say(`seed ${options.seed}`)
  const result = await run({
    options,
    signal: ending.signal,
    onPlace: ({ mode, disks, fileSystem, without }, directory) => {
      log = join(directory, 'nemesis.log')
      say(`${options.nodes} nodes on ${options.engine}, ${mode}, ${disks} disks on ${fileSystem}; logs in ${directory}`)
      for (const text of without) say(`without ${text}`)
    },
    onFault: (fault) => {
      const line = faultLine(fault)
      if (log !== undefined) appendFileSync(log, `${line}\n`)
      if (options.verbose) say(line)
    },
    onProgress: progressTo(options.minutes),
    onStage: say,
  })
  const report = reportOf(options, result)
  say('')
  say(summaryOf(report))
  const good = report.verdict === 'ok'
  if (!good) {
    say(drawingOf(result))
    for (const file of writeDrawings(result)) say(`drawing     ${file}`)
    say(`logs        ${result.directory}`)
    const given = process.argv.slice(2).join(' ')
    say(`again       npm run test:soak -- ${given}${given.includes('--seed') ? '' : ` --seed ${options.seed}`}`)
  }
  for (const text of result.left) say(`not removed: ${text}`)
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`)
  return good && result.left.length === 0 ? 0 : 1
}

const main = async (): Promise<number> => {
  try {
    const options = optionsOf(process.argv.slice(2))
    if (options.help) {
      say(usage)
      return 0
    }
    return options.cleanup ? await cleanup() : await soak(options)
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\nnpm run test:soak -- --help says more.`)
      return 2
    }
    if (!abandoning) console.error(error)
    return 1
  }
}

const code = await main()
// Whoever gives up ends the process, when everything is removed; what becomes of the run then is of no interest.
if (!abandoning) process.exit(code)
