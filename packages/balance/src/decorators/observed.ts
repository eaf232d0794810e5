/** The results of a candidate in this interval, and its ejections. */
export class Observed {
  errorsInRow = 0
  until = 0
  ejected = false
  /** How many times the base time its last ejection took; less one for each interval since. */
  #times = 0
  #successes = 0
  #errors = 0
  #latencies = 0

  get requests(): number {
    return this.#successes + this.#errors
  }

  /** From 0 to 1. */
  get successRate(): number {
    return this.#successes / this.requests
  }

  get meanLatency(): number {
    return this.#latencies / this.requests
  }

  /** Whether there is nothing to remember. */
  get forgettable(): boolean {
    return !this.ejected && this.requests === 0 && this.#times === 0
  }

  note(latency: number, failed: boolean): void {
    this.#latencies += latency
    if (failed) this.#errors++
    else this.#successes++
    this.errorsInRow = failed ? this.errorsInRow + 1 : 0
  }

  eject(now: number, baseTime: number, mostTime: number): void {
    this.#times++
    this.ejected = true
    this.errorsInRow = 0
    this.until = now + Math.min(baseTime * this.#times, mostTime)
    // What it was ejected for does not count a second time.
    this.#clear()
  }

  takeBack(): void {
    this.ejected = false
  }

  nextInterval(): void {
    this.#clear()
    if (!this.ejected && this.#times > 0) this.#times--
  }

  #clear(): void {
    this.#successes = 0
    this.#errors = 0
    this.#latencies = 0
  }
}

interface Sample {
  readonly minimumCandidates: number
  readonly requestVolume: number
}

/** Those that can be compared; nobody if they are too few. */
const comparable = (
  observed: readonly Observed[],
  { minimumCandidates, requestVolume }: Sample,
): readonly Observed[] => {
  const enough = observed.filter(({ requests }) => requests >= requestVolume)
  return enough.length >= minimumCandidates ? enough : []
}

/** Those whose success rate is too far below the mean. */
export const unsuccessfulOutliers = (
  observed: readonly Observed[],
  init: Sample & { readonly standardDeviations: number },
): readonly Observed[] => {
  const compared = comparable(observed, init)
  const mean = compared.reduce((sum, { successRate }) => sum + successRate, 0) / compared.length
  const variance = compared.reduce((sum, { successRate }) => sum + (successRate - mean) ** 2, 0) / compared.length
  const least = mean - init.standardDeviations * Math.sqrt(variance)
  return compared.filter(({ successRate }) => successRate < least)
}

/** Those whose latency is too far above the median. */
export const slowOutliers = (
  observed: readonly Observed[],
  init: Sample & { readonly factor: number },
): readonly Observed[] => {
  const compared = comparable(observed, init)
  const sorted = compared.map(({ meanLatency }) => meanLatency).sort((a, b) => a - b)
  const median = sorted[(sorted.length - 1) >> 1] ?? Number.POSITIVE_INFINITY
  return compared.filter(({ meanLatency }) => meanLatency > median * init.factor)
}
