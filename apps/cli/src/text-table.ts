/** Tables of text. */
import { color } from './base-command.ts'

const gutter = '  '

/** Labels to the left, all else to the right. */
const aligned = (rows: readonly (readonly string[])[]): string[] => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join(gutter)
      .trimEnd(),
  )
}

/** A title, a head and lines, of which the first row is the head. */
export const titled = (title: string, rows: readonly (readonly string[])[]): string[] => {
  const [head = '', ...lines] = aligned(rows)
  return ['', color('1', title), color('2', head), ...lines]
}
