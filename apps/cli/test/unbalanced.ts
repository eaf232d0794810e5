/** Tags that no end tag follows. */
const empty = new Set(['meta', '!doctype'])

/** What is open when the page ends, or closed in the wrong order. */
export const unbalanced = (page: string): string[] => {
  const open: string[] = []
  for (const [whole, end, name = ''] of page.matchAll(/<(\/?)([!a-z][a-z0-9]*)[^>]*>/g)) {
    if (empty.has(name) || whole.endsWith('/>')) continue
    if (end === '') open.push(name)
    else if (open.pop() !== name) return [`</${name}>`]
  }
  return open
}
