import { InvalidWorkload } from './invalid-workload.ts'

/** Bounds of a number, both included. */
export interface Bounds {
  readonly least: number
  readonly most: number
  readonly whole?: true
}

/** An object from outside, read field by field. Every refusal names the path of the field. */
export class Fields {
  readonly #path: string
  readonly #fields: Readonly<Record<string, unknown>>

  /** @throws InvalidWorkload unless `value` is an object that has no fields but the known ones. */
  constructor(value: unknown, path: string, known: readonly string[]) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new InvalidWorkload(path, `an object is expected, not ${shown(value)}`)
    this.#path = path
    this.#fields = value as Record<string, unknown>
    for (const name of Object.keys(value))
      if (!known.includes(name))
        throw new InvalidWorkload(this.at(name), `there is no such field; known are ${known.join(', ')}`)
  }

  /** The path of a field. */
  at(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`
  }

  has(name: string): boolean {
    return this.#fields[name] !== undefined
  }

  /** The field as it is. */
  raw(name: string): unknown {
    return this.#fields[name]
  }

  /** @param absent what stands for a field that is absent; without it the field has to be there. */
  number(name: string, { least, most, whole }: Bounds, absent?: number): number {
    const value = this.#fields[name] ?? absent
    if (typeof value === 'number' && value >= least && value <= most && (whole !== true || Number.isInteger(value)))
      return value
    const kind = whole === true ? 'a whole number' : 'a number'
    throw this.refusal(name, `${kind} from ${least} to ${most} is expected`)
  }

  text(name: string, pattern: RegExp, what: string): string {
    const value = this.#fields[name]
    if (typeof value === 'string' && pattern.test(value)) return value
    throw this.refusal(name, `${what} is expected`)
  }

  choice<T extends string>(name: string, choices: readonly T[]): T {
    const found = choices.find((choice) => choice === this.#fields[name])
    if (found !== undefined) return found
    throw this.refusal(name, `one of ${choices.join(', ')} is expected`)
  }

  flag(name: string, absent: boolean): boolean {
    const value = this.#fields[name] ?? absent
    if (typeof value === 'boolean') return value
    throw this.refusal(name, 'true or false is expected')
  }

  list<T>(name: string, most: number, read: (value: unknown, path: string) => T, absent?: readonly T[]): readonly T[] {
    const value = this.#fields[name]
    if (value === undefined && absent !== undefined) return absent
    if (!Array.isArray(value)) throw this.refusal(name, 'a list is expected')
    if (value.length > most)
      throw new InvalidWorkload(this.at(name), `at most ${most} are expected, not ${value.length}`)
    return value.map((item, index) => read(item, `${this.at(name)}[${index}]`))
  }

  refusal(name: string, expected: string): InvalidWorkload {
    return new InvalidWorkload(this.at(name), `${expected}, not ${shown(this.#fields[name])}`)
  }
}

const mostShown = 40

const shown = (value: unknown): string => {
  if (value === undefined) return 'nothing'
  const text = JSON.stringify(value)
  return text.length <= mostShown ? text : `${text.slice(0, mostShown)}…`
}
