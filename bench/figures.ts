/** How figures are told: as a median with its range, in tables that can be pasted into a page. */

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const [low = Number.NaN, high = low] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]]
  return (low + high) / 2
}

const told = (value: number, digits: number): string =>
  value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })

/** `median (least–most)`; one value stands alone. */
export const range = (values: readonly number[], digits = 0): string => {
  if (values.length === 0) return '–'
  const middle = told(median(values), digits)
  if (values.length === 1) return middle
  return `${middle} (${told(Math.min(...values), digits)}–${told(Math.max(...values), digits)})`
}

/** The median of one figure of many samples. */
export const middleOf = <S>(samples: readonly S[], figure: (sample: S) => number, digits = 0): string =>
  samples.length === 0 ? '–' : told(median(samples.map(figure)), digits)

/** A table in Markdown; all rows have the columns of the first. */
export const table = (title: string, rows: readonly Readonly<Record<string, string>>[]): string => {
  const columns = Object.keys(rows[0] ?? {})
  const widths = columns.map((column) => Math.max(column.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`
  const rule = line(widths.map((width) => '-'.repeat(width)))
  const body = rows.map((row) => line(columns.map((column) => row[column] ?? '')))
  return ['', title, '', line(columns), rule, ...body, ''].join('\n')
}
