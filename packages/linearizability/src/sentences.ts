const most = 4

/** `a`, `a or b`, `a, b or c`; of many the first few and the number of the others. */
export const oneOf = (texts: readonly string[]): string => {
  const shown = texts.length > most ? texts.slice(0, most - 1) : texts
  const rest = texts.length - shown.length
  const all = rest > 0 ? [...shown, `one of ${rest} others`] : shown
  return all.length < 2 ? all.join() : `${all.slice(0, -1).join(', ')} or ${all.at(-1)}`
}

/** Lines of at most `width` characters, broken at spaces. */
export const wrap = (text: string, width: number): readonly string[] => {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}
