/** How many candidates a level has, and how many of them are fit. */
export interface LevelHealth {
  readonly all: number
  readonly fit: number
}

/** Writes into `loads`, which is long enough, the part of the requests that each level gets; they sum up to 1 if there is any candidate. */
export const loadsOf = (levels: readonly LevelHealth[], overprovisioning: number, loads: Float64Array): void => {
  let left = 1
  for (let at = 0; at < levels.length; at++) {
    const { all = 0, fit = 0 } = levels[at] ?? {}
    const load = all === 0 ? 0 : Math.min(left, (overprovisioning * fit) / all)
    loads[at] = load
    left -= load
  }
  if (left <= 0) return
  // Too few everywhere: those that there are bear it all; when nobody is fit, everybody does.
  const bear = 1 - left
  let all = 0
  for (let at = 0; at < levels.length; at++) all += levels[at]?.all ?? 0
  for (let at = 0; at < levels.length; at++)
    loads[at] = bear > 0 ? (loads[at] ?? 0) / bear : all === 0 ? 0 : (levels[at]?.all ?? 0) / all
}
