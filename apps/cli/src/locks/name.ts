import { Args } from '@oclif/core'

/** The cell of the cluster that is talked to. */
const ownCell = '/ls/local'

/** `jobs/nightly` stands for `/ls/local/jobs/nightly`; a whole path is taken as it is. */
export const pathOf = (name = ''): string => {
  const trimmed = name.length > 1 ? name.replace(/\/+$/, '') : name
  if (trimmed.startsWith('/')) return trimmed
  return trimmed === '' ? ownCell : `${ownCell}/${trimmed}`
}

export const nameArg = (description: string) => ({
  name: Args.string({
    ignoreStdin: true,
    description: `${description}: /ls/CELL/…, or short jobs/nightly`,
    required: true,
  }),
})

export const optionalNameArg = (description: string) => ({
  name: Args.string({
    ignoreStdin: true,
    description: `${description}; the whole cell of this cluster if absent`,
  }),
})
