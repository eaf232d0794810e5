import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { Args, Flags } from '@oclif/core'
import { ConclaveCommand } from '../../base-command.ts'
import { clientFlags, maxTimeoutSeconds, openClient } from '../../client.ts'
import { CommandFailed, exitCodeOf, exitCodes } from '../../exit.ts'
import { BadLine, type ImportSummary, Interrupted, importRecords, readRecords } from '../../import-records.ts'
import { Progress } from '../../progress.ts'
import { endSignal } from '../../signals.ts'

export class KvImport extends ConclaveCommand {
  static override summary = 'Put many records: NDJSON with "key" and "value", from a file or standard input.'
  static override description =
    'Many are under way at a time. Goes on by itself across a change of leader; each record is written exactly once.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> records.ndjson',
    '<%= config.bin %> kv ls --json | <%= config.bin %> <%= command.id %> - --data other/.conclave',
  ]
  static override args = {
    file: Args.string({ ignoreStdin: true, description: 'a file, or - for standard input', default: '-' }),
  }
  static override flags = {
    ...clientFlags,
    timeout: Flags.integer({
      description: 'seconds without an answer until a record is given up',
      default: 60,
      min: 1,
      max: maxTimeoutSeconds,
      helpValue: 'SECONDS',
    }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(KvImport)
    const { input, size } = await open(args.file)
    await using client = await openClient(flags)
    const summary: ImportSummary = { records: 0, underWay: 0, firstRevision: undefined, lastRevision: undefined }
    const progress = new Progress(process.stderr, summary, size, this.jsonEnabled())
    const started = performance.now()
    const records = readRecords(input, (bytes) => progress.read(bytes))
    const stop = new AbortController()
    void endSignal().then((signal) => {
      stop.abort(signal)
      input.destroy()
    })
    const failed = await importRecords(client.kv, records, summary, flags.timeout * 1000, stop.signal)
    progress.end()
    const seconds = (performance.now() - started) / 1000
    const result = {
      records: summary.records,
      firstRevision: summary.firstRevision === undefined ? null : String(summary.firstRevision),
      lastRevision: summary.lastRevision === undefined ? null : String(summary.lastRevision),
      seconds: Math.round(seconds * 1000) / 1000,
      recordsPerSecond: seconds > 0 ? Math.round(summary.records / seconds) : 0,
    }
    if (failed !== undefined) throw failure(failed.error, failed.line, summary)
    this.log(
      `imported ${result.records} records in ${seconds.toFixed(1)} s (${result.recordsPerSecond}/s), revisions ${result.firstRevision ?? '-'} to ${result.lastRevision ?? '-'}`,
    )
    return result
  }
}

const open = async (file: string): Promise<{ readonly input: Readable; readonly size: number | undefined }> => {
  if (file === '-') return { input: process.stdin, size: undefined }
  const found = await stat(file).catch(() => undefined)
  // A pipe will do: `import <(…)`, /dev/stdin.
  if (found === undefined || found.isDirectory()) {
    throw new CommandFailed(
      exitCodes.usage,
      'no-such-file',
      `there is no file ${file}`,
      'Name a file with one {"key": "…", "value": "…"} a line, or - for standard input.',
    )
  }
  return { input: createReadStream(file, { highWaterMark: 256 * 1024 }), size: found.isFile() ? found.size : undefined }
}

const interruption = (line: number | undefined, { records, underWay }: ImportSummary): CommandFailed =>
  new CommandFailed(
    underWay > 0 ? exitCodes.unavailable : exitCodes.error,
    'interrupted',
    `interrupted: ${records} records were acknowledged${underWay > 0 ? `, whether ${underWay} more were written is unknown` : ''}`,
    `Everything before line ${line} is written. Import again from there, or all of it: a put can be repeated.`,
  )

const failure = (error: unknown, line: number | undefined, summary: ImportSummary): CommandFailed => {
  if (error instanceof Interrupted) return interruption(line, summary)
  const { records } = summary
  const message = error instanceof Error ? error.message : String(error)
  const count = `${records} records were acknowledged`
  if (error instanceof BadLine) {
    return new CommandFailed(
      exitCodes.error,
      'bad-line',
      message,
      `${count}; everything before that line is written. Repair it and import again: a put can be repeated.`,
    )
  }
  const exit = exitCodeOf(error)
  const at = line === undefined ? '' : `line ${line}: `
  return new CommandFailed(
    exit,
    exit === exitCodes.unavailable ? 'unavailable' : 'failed',
    `${at}${message}`,
    exit === exitCodes.unavailable
      ? `${count}. Import again when the cluster serves (\`conclave status\`): a put can be repeated.`
      : `${count}. Repair it and import again: a put can be repeated.`,
  )
}
