import type { Kv } from '@conclave/client'

/** After an interruption, what is under way is given so long to be acknowledged. */
const lastMillis = 5_000
/** A line longer than this is no record: a key and a value at their largest, every character escaped. */
const maxLine = 8 * 1024 * 1024
const newline = 0x0a
/** What may be under way at a time. */
const maxInFlight = 2048
const maxInFlightBytes = 8 * 1024 * 1024

/** The import was told to end. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

export interface ImportRecord {
  readonly line: number
  readonly key: string
  readonly value: string | Uint8Array
}

/** A line that is no record. */
export class BadLine extends Error {
  override readonly name = 'BadLine'
  readonly line: number

  constructor(line: number, what: string) {
    super(`line ${line}: ${what}`)
    this.line = line
  }
}

const parseLine = (text: string, line: number): ImportRecord => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new BadLine(line, `not JSON (${error instanceof Error ? error.message : error})`)
  }
  const record = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  if (typeof record.key !== 'string' || record.key === '')
    throw new BadLine(line, 'needs a "key" that is a string and not empty')
  if (!record.key.isWellFormed()) throw new BadLine(line, 'the "key" holds a lone surrogate, which has no UTF-8')
  return { line, key: record.key, value: valueFrom(record, line) }
}

/** The value of a record; `valueBase64` is how `kv ls --json` writes one that is no text. */
const valueFrom = ({ value, valueBase64 }: Record<string, unknown>, line: number): string | Uint8Array => {
  if (value === undefined && typeof valueBase64 === 'string') {
    if (!/^(?:[\w+/-]{4})*(?:[\w+/-]{2,3}={0,2})?$/.test(valueBase64))
      throw new BadLine(line, '"valueBase64" is not base64')
    return Buffer.from(valueBase64, 'base64')
  }
  if (typeof value !== 'string') throw new BadLine(line, 'needs a "value" that is a string')
  if (!value.isWellFormed()) throw new BadLine(line, 'the "value" holds a lone surrogate, which has no UTF-8')
  return value
}

const strict = new TextDecoder('utf-8', { fatal: true })

/** Of bytes that are no UTF-8, others would be written than those that were read. */
const decodeLine = (bytes: Uint8Array, line: number): string => {
  try {
    return strict.decode(bytes)
  } catch {
    throw new BadLine(line, 'not UTF-8')
  }
}

/** Records from NDJSON, line by line; empty lines are skipped. @throws BadLine. */
export async function* readRecords(
  input: AsyncIterable<Uint8Array>,
  read: (bytes: number) => void = () => {},
): AsyncGenerator<ImportRecord, void> {
  let pieces: Uint8Array[] = []
  let length = 0
  let line = 1
  const take = (piece: Uint8Array): void => {
    length += piece.length
    if (length > maxLine) throw new BadLine(line, `longer than ${maxLine} bytes`)
    if (piece.length > 0) pieces.push(piece)
  }
  const cut = (): string => {
    const text = decodeLine(pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces), line)
    pieces = []
    length = 0
    return text
  }
  for await (const chunk of input) {
    read(chunk.length)
    let at = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, at)) {
      take(chunk.subarray(at, end))
      at = end + 1
      const text = cut()
      if (text.trim() !== '') yield parseLine(text, line)
      line += 1
    }
    take(chunk.subarray(at))
  }
  const text = cut()
  if (text.trim() !== '') yield parseLine(text, line)
}

export interface ImportSummary {
  /** Acknowledged. */
  records: number
  /** Sent, not yet acknowledged. */
  underWay: number
  /** Of the acknowledged ones; undefined if there are none. */
  firstRevision: bigint | undefined
  lastRevision: bigint | undefined
}

/** What ended an import before its time. */
export interface ImportFailure {
  readonly error: unknown
  /** Where it stood; of an interruption, the first line that is not acknowledged. */
  readonly line: number | undefined
}

/** The puts of an import that are under way, and what became of them. */
class UnderWay {
  readonly #kv: Pick<Kv, 'put'>
  readonly #summary: ImportSummary
  readonly #timeout: number
  readonly #lines = new Set<number>()
  #bytes = 0
  #next = 1
  #lost = Number.POSITIVE_INFINITY
  #wake: () => void = () => {}
  failed: ImportFailure | undefined

  constructor(kv: Pick<Kv, 'put'>, summary: ImportSummary, timeout: number) {
    this.#kv = kv
    this.#summary = summary
    this.#timeout = timeout
  }

  get full(): boolean {
    return this.#lines.size >= maxInFlight || this.#bytes >= maxInFlightBytes
  }
  get none(): boolean {
    return this.#lines.size === 0
  }
  /** Everything before it is acknowledged. */
  get firstOpen(): number {
    return Math.min(this.#lost, this.#next, ...this.#lines)
  }

  put({ line, key, value }: ImportRecord): void {
    const cost = key.length + value.length
    this.#bytes += cost
    this.#lines.add(line)
    this.#next = line + 1
    this.#summary.underWay += 1
    void this.#kv
      .put(key, value, { timeout: this.#timeout })
      .then(
        ({ revision }) => acknowledge(this.#summary, revision),
        (error: unknown) => this.#fail(error, line),
      )
      .finally(() => {
        this.#bytes -= cost
        this.#lines.delete(line)
        this.#summary.underWay -= 1
        this.wake()
      })
  }

  /** The first line that failed is where a person looks; later ones usually fail for the same reason. */
  #fail(error: unknown, line: number): void {
    this.#lost = Math.min(this.#lost, line)
    if (this.failed === undefined || (this.failed.line ?? 0) > line) this.failed = { error, line }
  }

  wake(): void {
    this.#wake()
  }

  /** Looks whenever something was acknowledged, and when it is woken. */
  async until(done: () => boolean): Promise<void> {
    while (!done()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

/**
 * Writes records as they come, many under way at a time; the client takes them across a change of leader. Keeps going until the first error, then
 * waits for what is under way. When `signal` fires it takes no more, and gives what is under way a few seconds; the caller ends the input.
 * @returns what ended it, if it did not come to the end.
 */
export const importRecords = async (
  kv: Pick<Kv, 'put'>,
  records: AsyncIterable<ImportRecord>,
  summary: ImportSummary,
  timeout: number,
  signal: AbortSignal = new AbortController().signal,
): Promise<ImportFailure | undefined> => {
  const underWay = new UnderWay(kv, summary, timeout)
  let late = false
  let timer: NodeJS.Timeout | undefined
  const interrupted = (): void => {
    timer = setTimeout(() => {
      late = true
      underWay.wake()
    }, lastMillis)
    underWay.wake()
  }
  signal.addEventListener('abort', interrupted, { once: true })
  try {
    for await (const record of records) {
      if (underWay.failed !== undefined || signal.aborted) break
      underWay.put(record)
      if (underWay.full) await underWay.until(() => !underWay.full || signal.aborted)
    }
  } catch (error) {
    underWay.failed ??= { error, line: error instanceof BadLine ? error.line : undefined }
  }
  await underWay.until(() => underWay.none || late)
  clearTimeout(timer)
  signal.removeEventListener('abort', interrupted)
  return signal.aborted ? { error: new Interrupted('interrupted'), line: underWay.firstOpen } : underWay.failed
}

const acknowledge = (summary: ImportSummary, revision: bigint): void => {
  summary.records += 1
  if (summary.firstRevision === undefined || revision < summary.firstRevision) summary.firstRevision = revision
  if (summary.lastRevision === undefined || revision > summary.lastRevision) summary.lastRevision = revision
}
