/** Log lines of nodes (pino's JSON) for people. */

const levels: Readonly<Record<number, readonly [name: string, style: string]>> = {
  20: ['debug', '2'],
  30: ['info', '32'],
  40: ['warn', '33'],
  50: ['error', '31'],
}
const hidden = new Set(['level', 'time', 'pid', 'hostname', 'msg', 'node'])

const clock = (time: unknown): string => {
  if (typeof time !== 'number') return '--:--:--.---'
  const at = new Date(time)
  return Number.isNaN(at.getTime())
    ? '--:--:--.---'
    : `${at.toTimeString().slice(0, 8)}.${String(at.getMilliseconds()).padStart(3, '0')}`
}

const value = (field: unknown): string => {
  if (typeof field === 'string') return /^[^\s"=]+$/.test(field) ? field : JSON.stringify(field)
  if (typeof field === 'object' && field !== null && 'message' in field) return JSON.stringify(String(field.message))
  return JSON.stringify(field) ?? 'undefined'
}

/** One line for people; a line that is no JSON object is returned as it is. */
export const renderLogLine = (line: string, paint: (style: string, text: string) => string): string => {
  let fields: Record<string, unknown>
  try {
    fields = JSON.parse(line) as Record<string, unknown>
    if (typeof fields !== 'object' || fields === null) return line
  } catch {
    return line
  }
  const [level, style] = levels[Number(fields.level)] ?? ['info', '32']
  const rest = Object.entries(fields)
    .filter(([key]) => !hidden.has(key))
    .map(([key, field]) => paint('2', `${key}=`) + value(field))
  const words = [paint('2', clock(fields.time)), paint(style, level.padEnd(5)), String(fields.msg ?? ''), ...rest]
  return words.join(' ')
}

/** Cuts text that arrives in pieces into lines. A line longer than 64 KiB is cut. */
export const lineCutter = (each: (line: string) => void): ((text: string) => void) => {
  let partial = ''
  return (text) => {
    const lines = (partial + text).split('\n')
    partial = lines.pop() ?? ''
    for (const line of lines) each(line)
    if (partial.length <= 65_536) return
    each(partial)
    partial = ''
  }
}
