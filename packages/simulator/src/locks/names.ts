/** What lock clients use of the name space. */
export const directory = '/ls/cell/dir'
export const lockPaths = ['/ls/cell/l1', '/ls/cell/l2', `${directory}/l3`] as const
export const filePaths = ['/ls/cell/f1', '/ls/cell/f2', `${directory}/f3`] as const
/** An access control list: its name, and the file that it is. */
export const friends = 'friends'
export const listPath = `/ls/cell/acl/${friends}`
