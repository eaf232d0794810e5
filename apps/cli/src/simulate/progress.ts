/** How far many runs are, as a bar on a terminal; elsewhere nothing is shown. */
const barWidth = 24
const drawMillis = 200

export interface CampaignProgress {
  runs: number
  operations: number
  failures: number
}

/** @param part of the whole, 0 to 1. */
export const barLine = (part: number): string => {
  const filled = Math.round(Math.min(1, part) * barWidth)
  const bar = '█'.repeat(filled) + '░'.repeat(barWidth - filled)
  return `${bar} ${String(Math.floor(Math.min(1, part) * 100)).padStart(3)} %`
}

/** @param part of the whole, 0 to 1. @param rate runs a second. */
export const campaignLine = ({ runs, operations, failures }: CampaignProgress, part: number, rate: number): string =>
  `${barLine(part)}  ${runs} runs  ${rate.toFixed(1)}/s  ${operations} operations  ${failures} failed`

export class ProgressBar {
  readonly #stream: NodeJS.WriteStream
  readonly #line: () => string
  readonly #timer: NodeJS.Timeout | undefined

  /** @param line is asked five times a second. */
  constructor(stream: NodeJS.WriteStream, line: () => string) {
    this.#stream = stream
    this.#line = line
    if (stream.isTTY === true) this.#timer = setInterval(() => this.draw(), drawMillis)
  }

  draw(): void {
    if (this.#timer === undefined) return
    this.#stream.write(`\r${this.#line().slice(0, (this.#stream.columns ?? 80) - 1)}\u001b[K`)
  }

  end(): void {
    if (this.#timer === undefined) return
    clearInterval(this.#timer)
    this.#stream.write('\r\u001b[K')
  }
}
