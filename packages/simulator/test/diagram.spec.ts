import { expect, test } from 'vitest'
import { diagram } from '../src/diagram.ts'
import type { Trace, TraceEvent } from '../src/trace.ts'
import { figure8, noisyFigure8 } from './figure-8.ts'

interface Tag {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly path: readonly string[]
  text: string
}

/** Reads well-formed XML of the kind that a diagram is, and throws on anything else. */
const parse = (svg: string): Tag[] => {
  const tags: Tag[] = []
  const open: Tag[] = []
  const token = /<\/([a-z]+)>|<([a-zA-Z]+)((?: [a-zA-Z0-9:-]+="[^"<]*")*)(\/?)>|([^<]+)/gy
  let end = 0
  for (const [all, closing, name, attributes = '', empty, text] of svg.trimEnd().matchAll(token)) {
    end += all.length
    if (text !== undefined) {
      if (/&(?!(?:amp|lt|gt|quot|#39);)/.test(text)) throw new Error(`not escaped: ${text}`)
      const last = open.at(-1)
      if (last === undefined) throw new Error('text outside of the root')
      last.text += text
    } else if (name !== undefined) {
      const pairs = Array.from(attributes.matchAll(/ ([a-zA-Z0-9:-]+)="([^"]*)"/g), ([, key = '', value = '']) => [
        key,
        value,
      ])
      const tag: Tag = { name, attributes: Object.fromEntries(pairs), path: open.map((outer) => outer.name), text: '' }
      tags.push(tag)
      if (empty === '') open.push(tag)
    } else if (open.pop()?.name !== closing) throw new Error(`</${closing}> closes something else`)
  }
  if (end !== svg.trimEnd().length || open.length > 0) throw new Error(`not well-formed at ${svg.slice(end, end + 80)}`)
  return tags
}

const ofClass = (tags: readonly Tag[], name: string): Tag[] =>
  tags.filter(({ attributes }) => attributes.class?.split(' ').includes(name))

/** What each text covers, estimated for a narrow font: what overlaps there overlaps everywhere. */
const areas = (tags: readonly Tag[]): { words: string; left: number; right: number; top: number; bottom: number }[] =>
  tags
    .filter(({ name }) => name === 'text')
    .map(({ attributes, text }) => {
      const classes = attributes.class?.split(' ') ?? []
      const size = classes.includes('title') ? 17 : classes.includes('node') ? 14 : classes.includes('small') ? 9.5 : 11
      const width = text.length * size * 0.52
      const x = Number(attributes.x) - (classes.includes('middle') ? width / 2 : classes.includes('end') ? width : 0)
      const y = Number(attributes.y)
      return { words: text, left: x, right: x + width, top: y - size * 0.75, bottom: y + size * 0.1 }
    })

test('figure 8 is a document of its own, with a title, a description and no reference to anything outside', () => {
  const svg = diagram(figure8())
  const tags = parse(svg)
  expect(tags[0]).toMatchObject({ name: 'svg', attributes: { role: 'img', 'aria-labelledby': 'title desc' } })
  expect(tags.find(({ attributes }) => attributes.id === 'title')?.text).toBe('Violated: agreement')
  expect(tags.find(({ attributes }) => attributes.id === 'desc')?.text).toContain('two values are decided')
  expect(svg).not.toMatch(/(?:href|src|@import|url\((?!#))/)
  expect(svg).toContain('prefers-color-scheme:dark')
})

test('every sign of the legend is in the picture of figure 8', () => {
  const tags = parse(diagram(figure8()))
  for (const sign of [
    'leader',
    'candidate',
    'follower',
    'dead',
    'elect',
    'carry',
    'reply',
    'lost',
    'cross',
    'bar',
    'tint',
  ])
    expect(ofClass(tags, sign).length, sign).toBeGreaterThan(sign === 'tint' ? 0 : 1)
  // Its own one, that of the legend, and those of the logs.
  expect(ofClass(tags, 'decided').length).toBe(1 + 3)
  expect(ofClass(tags, 'gone').length).toBe(1 + 3)
  expect(ofClass(tags, 'alarm').filter(({ name }) => name === 'circle')).toHaveLength(2)
  expect(tags.some(({ text }) => text === 'isolate n5')).toBe(true)
  expect(tags.some(({ text }) => text === 'c1 put x=1')).toBe(true)
})

test('a node that is paused is hatched, and one that never lived has no line', () => {
  const events: TraceEvent[] = [
    { at: 0, type: 'started', node: 'n1' },
    { at: 10, type: 'paused', node: 'n1' },
    { at: 40, type: 'resumed', node: 'n1' },
    { at: 50, type: 'stopped', node: 'n1' },
  ]
  const tags = parse(diagram({ nodes: ['n1', 'n2'], clients: 0, events }))
  const hatched = tags.filter(({ attributes }) => attributes.style === 'fill:url(#hatch)')
  expect(hatched).toHaveLength(2)
  expect(tags.some(({ text }) => text === 'n2')).toBe(false)
})

test('time runs down: what happened later never stands higher', () => {
  const tags = parse(diagram(figure8()))
  const times = tags.filter(
    ({ name, attributes, text }) => name === 'text' && attributes.class?.endsWith('end') && /^\d/.test(text),
  )
  expect(times.length).toBeGreaterThan(20)
  const rows = times.map(({ attributes, text }) => ({ y: Number(attributes.y), at: Number(text) }))
  for (const [index, row] of rows.entries()) {
    const before = rows[index - 1]
    if (before === undefined) continue
    expect(row.y).toBeGreaterThan(before.y)
    expect(row.at).toBeGreaterThan(before.at)
  }
  for (const { attributes } of ofClass(tags, 'elect').slice(1))
    expect(Number(attributes.y2)).toBeGreaterThan(Number(attributes.y1))
})

test.each([
  ['figure 8', figure8(), {}],
  ['figure 8 in a long run', noisyFigure8(), {}],
  ['figure 8, narrow', figure8(), { width: 600 }],
  ['much of a long run', noisyFigure8(), { most: 400 }],
])('no words overlap others: %s', (_, trace, options) => {
  const placed = areas(parse(diagram(trace, options)))
  const overlapping: string[] = []
  for (const [index, a] of placed.entries())
    for (const b of placed.slice(index + 1))
      if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
        overlapping.push(`${a.words} | ${b.words}`)
  expect(overlapping).toEqual([])
})

test('a long run stays within bounds, and says what is not drawn', () => {
  const svg = diagram(noisyFigure8(), { most: 60 })
  expect(svg.length).toBeLessThan(120_000)
  expect(svg).toMatch(/\d{4} events and 24 heartbeats not drawn/)
  expect(svg).toContain('leader · 5')
  expect(Number(parse(svg)[0]?.attributes.height)).toBeLessThan(3_000)
})

test('words from a trace cannot leave their place', () => {
  const what = 'put "</text><script>alert(1)</script>\u0000\u001b[2J & \ud800'
  const trace: Trace = {
    nodes: ['n<1>'],
    clients: 1,
    events: [
      { at: 0, type: 'started', node: 'n<1>', why: what },
      { at: 1, type: 'invoked', client: 1, operation: 1, what },
      { at: 2, type: 'violation', invariant: 'a & b', what, nodes: ['n<1>'] },
    ],
  }
  const svg = diagram(trace)
  const tags = parse(svg)
  expect(tags.some(({ name }) => name === 'script')).toBe(false)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  expect(svg).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/)
  expect(svg.isWellFormed()).toBe(true)
})

test('a run without events is drawn too', () => {
  expect(parse(diagram({ nodes: [], clients: 0, events: [] })).length).toBeGreaterThan(5)
})

test('what stood before the time that is drawn is known: roles, logs, faults', () => {
  const tags = parse(diagram(figure8(), { around: 400 }))
  expect(tags.some(({ text }) => text === 'isolate n5')).toBe(false)
  // n5 leads from the first row on, until its candidacy.
  const top = Math.min(
    ...ofClass(tags, 'follower')
      .slice(2)
      .map(({ attributes }) => Number(attributes.y1 ?? 1e9)),
  )
  expect(ofClass(tags, 'leader').some(({ attributes }) => Number(attributes.y1) === top)).toBe(true)
  expect(ofClass(tags, 'gone').length).toBe(1 + 3)
})

test('what is said again is drawn only where it changes something', () => {
  const message = (id: number, at: number): TraceEvent[] => [
    { at, type: 'sent', id, from: 'n1', to: 'n2', what: 'append 3 term 1' },
    { at: at + 1, type: 'received', id, from: 'n1', to: 'n2', what: 'append 3 term 1' },
  ]
  const events: TraceEvent[] = [
    ...message(1, 0),
    ...message(2, 10),
    ...message(3, 20),
    { at: 21, type: 'truncated', node: 'n2', slot: 3 },
  ]
  const tags = parse(diagram({ nodes: ['n1', 'n2'], clients: 0, events }))
  const said = tags.filter(({ name, text }) => name === 'text' && text === 'append 3 term 1')
  expect(said).toHaveLength(2)
  expect(tags.some(({ text }) => text.includes('1 heartbeat not drawn'))).toBe(true)
})
