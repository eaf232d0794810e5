/** @throws RangeError unless `value` is a whole number from 1 up. */
export const positiveInteger = (name: string, value: number): number => {
  if (!(Number.isSafeInteger(value) && value >= 1))
    throw new RangeError(`${name} is a whole number from 1 up, got ${value}`)
  return value
}

/** @throws RangeError unless `value` is a finite number above 0. */
export const positive = (name: string, value: number): number => {
  if (!(value > 0 && value < Number.POSITIVE_INFINITY))
    throw new RangeError(`${name} is a finite number above 0, got ${value}`)
  return value
}

/** @throws RangeError unless `value` is from 0 to 1. */
export const fraction = (name: string, value: number): number => {
  if (!(value >= 0 && value <= 1)) throw new RangeError(`${name} is a number from 0 to 1, got ${value}`)
  return value
}

/** @throws RangeError unless `value` is a finite number from 0 up. */
export const notNegative = (name: string, value: number): number => {
  if (!(value >= 0 && value < Number.POSITIVE_INFINITY))
    throw new RangeError(`${name} is a finite number from 0 up, got ${value}`)
  return value
}
