const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Milliseconds, or text such as `500ms`, `30s`, `5m`, `1h`. */
export type Duration = number | string

/** In milliseconds. @throws RangeError if it is no duration. */
export const millisOf = (duration: Duration, what: string): number => {
  if (typeof duration === 'number') {
    if (duration >= 0) return duration
    throw new RangeError(`${what} is a number of milliseconds from 0 on, got ${duration}`)
  }
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(duration) ?? []
  const factor = units[unit]
  if (digits === undefined || factor === undefined)
    throw new RangeError(`${what} is such as 500ms, 30s, 5m or 1h, got ${JSON.stringify(duration)}`)
  return Number(digits) * factor
}
