/** What goes wrong between two members. Probabilities are in [0, 1] and are drawn anew for every message. */
export interface Faults {
  /** A message vanishes and nobody is told. */
  readonly drop: number
  /** A message arrives twice, the second time after a delay of its own. */
  readonly duplicate: number
  /** A message takes up to ten times the delay and is overtaken by later ones. */
  readonly reorder: number
  /** One-way delay in milliseconds of `Clock`, uniform in [least, most). */
  readonly delay: { readonly least: number; readonly most: number }
}

/** A good LAN. */
export const noFaults: Faults = { drop: 0, duplicate: 0, reorder: 0, delay: { least: 0.1, most: 0.5 } }

/** @throws RangeError if a probability lies outside of [0, 1] or a delay is negative. */
export const checkFaults = (faults: Faults): Faults => {
  for (const name of ['drop', 'duplicate', 'reorder'] as const) {
    if (!(faults[name] >= 0 && faults[name] <= 1))
      throw new RangeError(`${name} is a probability in [0, 1], got ${faults[name]}`)
  }
  const { least, most } = faults.delay
  if (!(least >= 0 && most >= least && Number.isFinite(most)))
    throw new RangeError(`a delay needs 0 ≤ least ≤ most, got ${least} to ${most}`)
  return faults
}
