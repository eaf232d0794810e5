import { isPath, root } from '@conclave/machine-chubby'

const alias = `${root}/local`

/** The path as the cell knows it: `/ls/local` stands for the cluster's own cell. @throws RangeError if it is no path. */
export const resolvePath = (path: string, cluster: string): string => {
  const resolved =
    path === alias || path.startsWith(`${alias}/`) ? `${root}/${cluster}${path.slice(alias.length)}` : path
  if (isPath(resolved)) return resolved
  throw new RangeError(
    `a name is /ls/CELL/dir/file, with parts of at most 255 bytes, got ${JSON.stringify(path)}; /ls/local is the cell of this cluster`,
  )
}
