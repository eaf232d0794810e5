/**
 * What can be read off the words of a trace. They are an engine's own (`append 7..9 term 3`), so everything here is a guess that is right for
 * engines that say `term`, `epoch` or `ballot`, and harmless for the others: pictures get plainer, never wrong.
 */

/** Positions from `first` to `last`, both included. */
export interface Range {
  readonly first: number
  readonly last: number
}

const routine = /^(?:heartbeat|ping|pong|keep-?alive)/i
const ranged = /(?<![\w.])(\d+)\.\.(\d+)(?![\w.])/
const carried =
  /\b(?:append|accept|accepted|propose|proposal|entry|entries|match|slot|position|snapshot)\w*(?: \w+)?? (?:at |to )?(\d+)\b/i
const reign = /\b(?:term|epoch|ballot)\s(\d+(?:\.\d+)?)/i
const ofReign = /\bof (\d+)$/
const details = / (?:last|after) \d+\/\d+| (?:commit|round) \d+/g
const named = /\b(?:positions?|slots?|index|indexes|entry|entries)\s(\d+)(?:\.\.(\d+))?/gi
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffe\uffff]+/g

/** Whether a message only says "I am alive", or answers one that does. */
export const isRoutine = (what: string): boolean => routine.test(what)

/** The positions that a message carries or acknowledges. */
export const positionsCarried = (what: string): Range | undefined => {
  const range = ranged.exec(what)
  if (range !== null) return { first: Number(range[1]), last: Number(range[2]) }
  const one = carried.exec(what)
  return one === null ? undefined : { first: Number(one[1]), last: Number(one[1]) }
}

/** The term, epoch or ballot in the words, as it stands there; `batch 9fae of 3` names one too. */
export const reignIn = (what: string): string | undefined => (reign.exec(what) ?? ofReign.exec(what))?.[1]

/** The words of a message without what only its own engine asks about. */
export const brief = (what: string): string => what.replace(details, '')

/** The positions that a sentence names: `two batches at position 7`. */
export const positionsNamed = (sentence: string): Range[] =>
  Array.from(sentence.matchAll(named), ([, first, last]) => ({ first: Number(first), last: Number(last ?? first) }))

/** Whether two ranges have a position in common. */
export const meets = (a: Range, b: Range): boolean => a.first <= b.last && b.first <= a.last

/** Words as they may be shown: on one line, and nothing that moves a cursor. */
export const plain = (what: string): string => what.replace(control, ' ').toWellFormed()

/** At most `most` characters; an ellipsis says that there were more. */
export const cut = (text: string, most: number): string => {
  if (text.length <= most) return text
  return `${Array.from(text)
    .slice(0, Math.max(0, most - 1))
    .join('')}…`
}

/** Milliseconds of the world for people: at most one decimal below ten seconds. */
export const millis = (at: number): string => (Math.round(at * 10) / 10).toFixed(1)

/** A count with its noun. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

/** Breaks a sentence into lines of at most `width` characters; a word that is longer is cut into pieces. */
export const wrap = (sentence: string, width: number): string[] => {
  const lines: string[] = []
  let line = ''
  for (const word of sentence.split(' ')) {
    let rest = word
    if (line !== '' && line.length + 1 + rest.length <= width) {
      line += ` ${rest}`
      continue
    }
    if (line !== '') lines.push(line)
    while (rest.length > width) {
      lines.push(rest.slice(0, width))
      rest = rest.slice(width)
    }
    line = rest
  }
  if (line !== '' || lines.length === 0) lines.push(line)
  return lines
}
