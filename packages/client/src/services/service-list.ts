import { checkedInstance, type ServiceInstance } from './instance.ts'
import { objectOfVersion } from './instance-record.ts'

/** The instances of a service as the cluster has them. */
export interface FreshList {
  readonly service: string
  /** In the order of their ids. */
  readonly instances: readonly ServiceInstance[]
  readonly stale: false
}

/** The instances of a service as they were last known: the cluster does not answer at present. */
export interface StaleList {
  readonly service: string
  readonly instances: readonly ServiceInstance[]
  readonly stale: true
  /** Since when they are not known to be current, in milliseconds since 1970. */
  readonly since: number
  /** Why. */
  readonly reason: string
}

export type ServiceList = FreshList | StaleList

const version = 1

/** What is kept of a list. docs/formats/services.md describes it. */
export interface KeptList {
  /** The directory of the registry. */
  readonly path: string
  readonly service: string
  /** When it was last known to be current, in milliseconds since 1970. */
  readonly at: number
  readonly instances: readonly ServiceInstance[]
}

export const encodeList = ({ path, service, at, instances }: KeptList): string =>
  `${JSON.stringify({ version, path, service, at: new Date(at).toISOString(), instances }, undefined, 1)}\n`

/** @throws RangeError, TypeError, SyntaxError: it is not what `encodeList` made for this service. */
export const decodeList = (text: string, path: string, service: string): KeptList => {
  const fields = objectOfVersion(text, version)
  if (fields.path !== path || fields.service !== service)
    throw new RangeError(`it is a list of ${JSON.stringify(fields.service)} in ${JSON.stringify(fields.path)}`)
  const at = typeof fields.at === 'string' ? Date.parse(fields.at) : Number.NaN
  if (Number.isNaN(at)) throw new RangeError(`it does not say when it was current, but ${JSON.stringify(fields.at)}`)
  if (!Array.isArray(fields.instances)) throw new TypeError('it has no instances')
  return { path, service, at, instances: fields.instances.map((each) => checkedInstance(each ?? {})) }
}
