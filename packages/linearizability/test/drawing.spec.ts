import { describe, expect, test } from 'vitest'
import {
  check,
  drawSvg,
  drawText,
  type KvInput,
  type KvOutput,
  kvModel,
  type Operation,
  type Window,
} from '../src/index.ts'
import { call, open } from './history.ts'

const windowOf = (operations: readonly Operation<KvInput, KvOutput>[]): Window<KvInput, KvOutput> => {
  const result = check(kvModel, operations)
  if (result.verdict !== 'illegal') throw new Error(`the verdict is ${result.verdict}`)
  return result.window
}

const get = (key: string): KvInput => ({ type: 'get', key })
const put = (key: string, value: string): KvInput => ({ type: 'put', key, value })
const got = (value: string | null): KvOutput => ({ type: 'got', value })
const done: KvOutput = { type: 'done' }

/** A read goes back to before a write of unknown outcome that another read has seen. */
const back: readonly Operation<KvInput, KvOutput>[] = [
  call('a', put('k', 'one'), done, 1_732_367_183_123n, 1_732_367_183_125n),
  open('b', put('k', 'two'), 1_732_367_183_124n),
  call('c', get('k'), got('two'), 1_732_367_183_130n, 1_732_367_183_140n),
  call('c', get('k'), got('one'), 1_732_367_183_140n, 1_732_367_183_141n),
  call('d', get('k'), got('one'), 1_732_367_183_142n, 1_732_367_183_142n),
]

const rowsOf = (drawing: string): readonly string[] => drawing.split('\n').filter((row) => row.startsWith('client'))

/** The elements of a document, if it is well-formed: every tag is closed in its turn, and text holds no bare `<` or `&`. */
const elementsOf = (document: string): readonly { readonly name: string; readonly attributes: string }[] => {
  const elements: { name: string; attributes: string }[] = []
  const within: string[] = []
  const rest = document.replace(
    /<(\/?)([a-z]+)((?: [a-zA-Z0-9:-]+="[^"<&]*")*)(\/?)>/g,
    (_, end, name, attributes, empty) => {
      if (end === '/') expect(within.pop()).toBe(name)
      else elements.push({ name, attributes })
      if (end === '' && empty === '') within.push(name)
      return ''
    },
  )
  expect(within).toEqual([])
  expect(rest).not.toMatch(/<|&(?!amp;|lt;|gt;|quot;)/)
  return elements
}

const attribute = (attributes: string, name: string): number =>
  Number(new RegExp(` ${name}="([^"]*)"`).exec(attributes)?.[1])

describe('a drawing as text', () => {
  test('has lanes, a time axis, the stuck call and a reason', () => {
    expect(drawText(windowOf(back))).toBe(
      `Not linearizable: kv, key k (3 calls)
Begins with no value. 2 more calls make no difference, whatever came of
them. Times count from 1732367183123.

client a  ├put k "one" → done─┤
client c                         ├get k → "two"─┤
client d                                           ├get k → "one"┤✗
time      +0                  +2 +7             +17

✗ get k → "one" (client d) fits into no order: get k → "two" (client c)
had returned before it was invoked, and the state can only be "two"
there.
`,
    )
  })

  test('shows a call of unknown outcome open to the right, and calls of one client at once in lanes of their own', () => {
    const window = windowOf(back)
    const [first, ...others] = window.calls
    if (first === undefined) throw new Error('the window is empty')
    const opened = { ...first, operation: open('c', first.operation.input, 1_732_367_183_131n) }
    const rows = drawText({ ...window, calls: [opened, ...others] }).split('\n')
    expect(rows.filter((row) => row.includes('→') && row.trimEnd().endsWith('─→'))).toHaveLength(1)
    expect(rows.filter((row) => /^(client| {9})/.test(row) && row.includes('├'))).toHaveLength(3)
  })

  test('keeps texts on one line and cuts long ones', () => {
    const window = windowOf([call('a\nb', get('k'), got(`x\n${'y'.repeat(100)}`), 1, 2)])
    const rows = rowsOf(drawText(window))
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatch(/^client a b {2}├get k → "x\\ny+…─+┤✗$/)
    expect(rows[0]?.length).toBeLessThan(80)
  })
})

describe('a drawing as SVG', () => {
  const hostile = windowOf([
    call('a', put('k', '"]]>&amp;<b>'), done, 1, 2),
    call('<script>&', get('k'), got('\u0000\u001b<!--'), 3, 4),
    open("'", put('k', '\ud800'), 0),
  ])

  test('is well-formed whatever the texts hold', () => {
    expect(elementsOf(drawSvg(hostile)).map(({ name }) => name)).not.toContain('script')
    expect(drawSvg(hostile)).toContain('&lt;script&gt;')
    const named = { ...hostile, partition: '</title><script>alert(1)</script>\u0000\ud800', why: '</desc>&' }
    const document = drawSvg(named)
    elementsOf(document)
    expect(
      Array.from(document, (character) => character.charCodeAt(0)).filter((code) => code < 32 && code !== 10),
    ).toEqual([])
    expect(document.isWellFormed()).toBe(true)
  })

  test('stands alone and follows the reader in light and dark', () => {
    const document = drawSvg(windowOf(back))
    expect(document).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" viewBox=/)
    expect(document).toContain('prefers-color-scheme: dark')
    expect(document.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|url\(|@import|href/)
  })

  test('holds every text within the page', () => {
    for (const window of [windowOf(back), hostile]) {
      const document = drawSvg(window)
      const page = elementsOf(document)[0]?.attributes ?? ''
      const texts = [...document.matchAll(/<text( [^>]*)>([^<]*)<\/text>/g)]
      expect(texts.length).toBeGreaterThan(window.calls.length)
      for (const [, attributes = '', text = ''] of texts) {
        const characters = text.replace(/&[a-z]+;/g, '.').length
        // The widest of the fonts that it names takes 7.3 pixels for a character.
        expect(attribute(attributes, 'x') + 7.3 * characters).toBeLessThan(attribute(page, 'width'))
        expect(attribute(attributes, 'y')).toBeLessThan(attribute(page, 'height'))
      }
    }
  })
})

test('a window far into a history says what it begins with', () => {
  const many = Array.from({ length: 100 }, (_, at) => call('w', put('k', `v${at}`), done, 2 * at, 2 * at + 1))
  const window = windowOf([...many, call('r', get('k'), got('v3'), 300, 301), call('r', get('k'), got('v3'), 302, 303)])
  expect(window.earlier).toBe(68)
  expect(window.before).toEqual(['"v67"'])
  expect(window.later).toBe(1)
  expect(window.calls.map(({ text }) => text)).toEqual(['get k → "v3"'])
  expect(drawText(window)).toContain('Begins after 68 earlier calls, with "v67".')
})
