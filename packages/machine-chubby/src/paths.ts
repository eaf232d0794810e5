import { limits } from './limits.ts'

/** The directory above all cells: it is always there. */
export const root = '/ls'

const encoder = new TextEncoder()

/** Whether it can name something inside a directory: 1 to 255 bytes of UTF-8, no slash, no control character, not `.` or `..`. */
export const isComponent = (name: string): boolean => {
  if (name === '' || name === '.' || name === '..' || !name.isWellFormed()) return false
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at)
    if (code < 0x20 || code === 0x2f || code === 0x7f) return false
  }
  return name.length <= limits.componentBytes && encoder.encode(name).length <= limits.componentBytes
}

/** Whether it is `/ls`, or names something below: `/ls/CELL/dir/file`. */
export const isPath = (path: string): boolean => {
  if (path === root) return true
  if (!path.startsWith(`${root}/`) || path.length > limits.pathBytes) return false
  return (
    encoder.encode(path).length <= limits.pathBytes &&
    path
      .slice(root.length + 1)
      .split('/')
      .every(isComponent)
  )
}

/** The directory that it is in. Not of the root. */
export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))

/** Its name there. */
export const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

/** The directories above it, from its cell on down. */
export const ancestorsOf = (path: string): readonly string[] => {
  const ancestors: string[] = []
  for (let at = parentOf(path); at.length > root.length; at = parentOf(at)) ancestors.unshift(at)
  return ancestors
}

/** Where the access control lists of a path's cell are kept; of the root: nowhere. */
export const aclDirectoryOf = (path: string): string | undefined => {
  const [cell] = path.slice(root.length + 1).split('/')
  return cell === undefined || cell === '' ? undefined : `${root}/${cell}/acl`
}
