import { checkedInstance, type ServiceInstance } from './instance.ts'

/** What the file of an instance says. docs/formats/services.md describes it. */
export interface InstanceRecord {
  readonly instance: ServiceInstance
  /** Who made the file: tells a program's own one from that of another of the same id. */
  readonly owner?: string
}

/** A file among those of a service that says nothing that can be used. It is left out of every list. */
export interface InvalidInstance {
  readonly service: string
  /** The name of the file. */
  readonly id: string
  /** What is wrong with it. */
  readonly reason: string
}

const version = 1

export const encodeInstance = ({ instance: { id: _, ...fields }, owner }: InstanceRecord): string =>
  JSON.stringify({ version, ...fields, ...(owner === undefined ? {} : { owner }) })

/** An object whose version is known. @throws RangeError, SyntaxError */
export const objectOfVersion = (text: string, known: number): Readonly<Record<string, unknown>> => {
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new RangeError('it is no JSON object')
  const found = 'version' in value ? value.version : undefined
  if (found !== known) throw new RangeError(`its version is ${JSON.stringify(found)}, and only ${known} is known`)
  return value as Readonly<Record<string, unknown>>
}

/** @param id the name of the file. @throws RangeError, TypeError, SyntaxError: whoever wrote it did not use this library. */
export const decodeInstance = (id: string, text: string): InstanceRecord => {
  const fields = objectOfVersion(text, version)
  const instance = checkedInstance({ ...fields, id })
  return typeof fields.owner === 'string' ? { instance, owner: fields.owner } : { instance }
}
