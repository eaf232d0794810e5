import { oneOf } from './sentences.ts'
import type { Window } from './window.ts'

const count = (number: number, one: string, many: string): string => `${number} ${number === 1 ? one : many}`

/** What stands above a drawing: a title, and what is not in the drawing. */
export const captionsOf = ({
  model,
  partition,
  calls,
  before,
  earlier,
  leftOut,
  later,
}: Window<unknown, unknown>): { readonly title: string; readonly notes: readonly string[] } => {
  const where = partition === '' ? model : `${model}, ${partition}`
  const after = earlier === 0 ? '' : ` after ${count(earlier, 'earlier call', 'earlier calls')}`
  const state = before.length === 0 ? 'in a state that is not known' : `with ${oneOf(before)}`
  const notes = [`Begins${after === '' ? '' : `${after},`} ${state}.`]
  if (leftOut > 0)
    notes.push(`${count(leftOut, 'more call makes', 'more calls make')} no difference, whatever came of them.`)
  if (later > 0) notes.push(`${count(later, 'call follows', 'calls follow')}.`)
  return { title: `Not linearizable: ${where} (${count(calls.length, 'call', 'calls')})`, notes }
}
