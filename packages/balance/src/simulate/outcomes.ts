import type { LatencyFigures, SliceFigures } from './result.ts'

/** How each request ended, by its number. */
export class Outcomes {
  /** Milliseconds; NaN for an error. */
  readonly #millis: Float64Array

  constructor(requests: number) {
    this.#millis = new Float64Array(requests).fill(Number.NaN)
  }

  /** A request ended well; one that never does is an error. */
  ended(request: number, millis: number): void {
    this.#millis[request] = millis
  }

  errors(from = 0, to = this.#millis.length): number {
    return to - from - this.#well(from, to).length
  }

  latencies(): LatencyFigures | null {
    const sorted = this.#well(0, this.#millis.length).sort()
    if (sorted.length === 0) return null
    return {
      mean: sorted.reduce((sum, millis) => sum + millis, 0) / sorted.length,
      p50: percentile(sorted, 50),
      p90: percentile(sorted, 90),
      p99: percentile(sorted, 99),
      p999: percentile(sorted, 99.9),
      most: percentile(sorted, 100),
    }
  }

  /** Of the requests from one number to before another. */
  slice(from: number, to: number): Pick<SliceFigures, 'requests' | 'errors' | 'p50' | 'p99'> {
    const sorted = this.#well(from, to).sort()
    const of = (percent: number): number | null => (sorted.length === 0 ? null : percentile(sorted, percent))
    return { requests: to - from, errors: this.errors(from, to), p50: of(50), p99: of(99) }
  }

  #well(from: number, to: number): Float64Array {
    return this.#millis.subarray(from, to).filter((millis) => !Number.isNaN(millis))
  }
}

/** By nearest rank. @param sorted not empty. */
const percentile = (sorted: Float64Array, percent: number): number =>
  sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN
