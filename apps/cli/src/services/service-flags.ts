import type { ServiceInstance } from '@conclave/client/recipes'
import { Args, Flags } from '@oclif/core'

export const serviceArg = {
  name: Args.string({ ignoreStdin: true, description: 'the name of the service, such as web', required: true }),
}

/** Which registry it is about. */
export const registryFlag = {
  registry: Flags.string({
    description: 'directory of the registry: /ls/CELL/…, or short',
    default: 'services',
    helpValue: 'DIR',
  }),
}

/** Which of the instances it is about. */
export const filterFlags = {
  passing: Flags.boolean({ description: 'only those that are healthy' }),
  tag: Flags.string({
    description: 'only those that have this tag; several times: all of them',
    helpValue: 'TAG',
    multiple: true,
    multipleNonGreedy: true,
  }),
}

export interface Filter {
  readonly passing: boolean
  readonly tag?: readonly string[] | undefined
}

export const isWanted = ({ health, tags }: ServiceInstance, { passing, tag = [] }: Filter): boolean =>
  (!passing || health === 'passing') && tag.every((each) => tags.includes(each))
