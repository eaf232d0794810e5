/** SVG as text: elements, numbers, and words that cannot break out of them. */
import { plain } from '../words.ts'

export type Attributes = Readonly<Record<string, string | number | undefined>>

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text as content or as the value of an attribute; control characters become spaces. */
export const escaped = (text: string): string => plain(text).replace(/[&<>"']/g, (sign) => escapes[sign] ?? sign)

const value = (given: string | number): string =>
  typeof given === 'number' ? String(Math.round(given * 10) / 10) : escaped(given)

/** @param content already SVG: made by `element` or `escaped`. */
export const element = (name: string, attributes: Attributes, content: readonly string[] | string = ''): string => {
  const written = Object.entries(attributes)
    .map(([key, given]) => (given === undefined ? '' : ` ${key}="${value(given)}"`))
    .join('')
  const inner = typeof content === 'string' ? content : content.join('')
  return inner === '' ? `<${name}${written}/>` : `<${name}${written}>${inner}</${name}>`
}

export const line = (style: string, x1: number, y1: number, x2: number, y2: number): string =>
  element('line', { class: style, x1, y1, x2, y2 })

export const rect = (style: string, x: number, y: number, width: number, height: number, rx = 0): string =>
  element('rect', { class: style, x, y, width: Math.max(0, width), height: Math.max(0, height), rx: rx || undefined })

/** @param title shown when the pointer rests on it. */
export const text = (style: string, x: number, y: number, words: string, title?: string): string =>
  element('text', { class: style, x, y }, [
    escaped(words),
    title === undefined || title === words ? '' : element('title', {}, escaped(title)),
  ])

/** What a text of the diagrams takes, in pixels: an estimate on the safe side, since fonts differ. */
export const textWidth = (words: string, size = 11): number => words.length * size * 0.6
