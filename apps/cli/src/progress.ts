import type { ImportSummary } from './import-records.ts'

const barWidth = 24
const drawMillis = 200
const lineMillis = 3000

/** How far an import is: a bar on a terminal, otherwise a line every three seconds. */
export class Progress {
  readonly #stream: NodeJS.WriteStream
  readonly #summary: ImportSummary
  readonly #size: number | undefined
  readonly #bar: boolean
  readonly #timer: NodeJS.Timeout
  #read = 0
  #last = { at: performance.now(), records: 0 }

  /** @param size bytes of the whole input, if that is known. */
  constructor(stream: NodeJS.WriteStream, summary: ImportSummary, size: number | undefined, quiet: boolean) {
    this.#stream = stream
    this.#summary = summary
    this.#size = size
    this.#bar = stream.isTTY === true
    this.#timer = setInterval(() => this.#draw(), this.#bar ? drawMillis : lineMillis)
    if (quiet && !this.#bar) clearInterval(this.#timer)
  }

  read(bytes: number): void {
    this.#read += bytes
  }

  #draw(): void {
    const now = performance.now()
    const { records } = this.#summary
    const rate = Math.round(((records - this.#last.records) * 1000) / (now - this.#last.at))
    this.#last = { at: now, records }
    const line = progressLine(this.#summary, rate, this.#size === undefined ? undefined : this.#read / this.#size)
    this.#stream.write(this.#bar ? `\r${line}\u001b[K` : `${line}\n`)
  }

  end(): void {
    clearInterval(this.#timer)
    if (this.#bar) this.#stream.write('\r\u001b[K')
  }
}

/** @param part of the input that was read, 0 to 1, if its size is known. */
export const progressLine = (
  { records, underWay }: Pick<ImportSummary, 'records' | 'underWay'>,
  rate: number,
  part: number | undefined,
): string => {
  const waiting = underWay > 0 ? 'waiting for the cluster' : 'waiting for input'
  const state = rate === 0 ? waiting : `${rate}/s`
  if (part === undefined) return `${records} records  ${state}`
  const filled = Math.round(Math.min(1, part) * barWidth)
  const bar = '█'.repeat(filled) + '░'.repeat(barWidth - filled)
  return `${bar} ${String(Math.round(Math.min(1, part) * 100)).padStart(3)} %  ${records} records  ${state}`
}
