import type { Stat } from '@conclave/client'

/** What `fs stat --json` and `fs ls --json` say; generations are strings, since they may exceed what JSON's numbers hold. */
export const statJson = ({ instance, contentGeneration, lockGeneration, aclGeneration, ...rest }: Stat) => ({
  ...rest,
  instance: String(instance),
  contentGeneration: String(contentGeneration),
  lockGeneration: String(lockGeneration),
  aclGeneration: String(aclGeneration),
})

export const lockText = ({ mode, holders, waiters, delay }: Stat['lock']): string => {
  const state = mode === 'free' ? 'free' : `held ${mode} by ${holders}`
  const line = waiters === 0 ? '' : `, ${waiters} waiting`
  return `${state}${line}${delay === 0 ? '' : `, nobody gets it for ${delay} ms`}`
}

export const aclText = ({ read, write, changeAcl }: Stat['acl']): string =>
  [`read ${read || 'everybody'}`, `write ${write || 'everybody'}`, `change-acl ${changeAcl || 'everybody'}`].join(', ')

/** Lines that say all there is to know. */
export const statLines = (stat: Stat): string[] => {
  const rows: [string, string][] = [
    ['path', stat.path],
    ['kind', stat.ephemeral ? `${stat.kind}, ephemeral` : stat.kind],
    ['size', stat.kind === 'file' ? `${stat.size} bytes` : `${stat.size} children`],
    ['instance', String(stat.instance)],
    ['content generation', String(stat.contentGeneration)],
    ['lock generation', String(stat.lockGeneration)],
    ['acl generation', String(stat.aclGeneration)],
    ['acl', aclText(stat.acl)],
    ['lock', lockText(stat.lock)],
    ['open handles', String(stat.handles)],
  ]
  return rows.map(([title, value]) => `${title.padEnd(18)}  ${value}`)
}
