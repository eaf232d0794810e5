import { expect, test } from 'vitest'
import { timeline } from '../src/timeline.ts'
import type { Trace, TraceEvent } from '../src/trace.ts'
import { figure8, noisyFigure8 } from './figure-8.ts'

const linesOf = (text: string): string[] => text.trimEnd().split('\n')

test('the story of figure 8 is told in order, and ends with the violation', () => {
  const text = timeline(figure8(), { width: 150 })
  const story = [
    'candidate, epoch 2',
    'leader, epoch 2',
    '24 heartbeats',
    'c1: put x=1',
    'fault 3: crash n1 (power)',
    'crashes: power',
    'leader, epoch 3',
    'fault 4: isolate n5',
    'leader, epoch 4',
    'fault 4: ends: isolate n5',
    'leader, epoch 5',
    'truncates from 2',
    'violated at',
    'two values are decided at position 2',
  ]
  let at = 0
  for (const sentence of story) {
    at = text.indexOf(sentence, at)
    expect(at, sentence).toBeGreaterThan(-1)
  }
  expect(text.trimEnd().endsWith('(n1, n5)')).toBe(true)
})

test('columns are aligned: every separator stands where the heading has one', () => {
  const lines = linesOf(timeline(figure8(), { width: 120 }))
  const separators = (line: string): number[] => Array.from(line.matchAll(/│/g), ({ index }) => index)
  const heading = separators(lines[0] ?? '')
  expect(heading).toHaveLength(6)
  const rows = lines.slice(2).filter((line) => line.includes('│'))
  expect(rows.length).toBeGreaterThan(40)
  for (const row of rows) expect(separators(row)).toEqual(heading)
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(120)
})

test('a long run is cut to what concerns the violation, and says how much is missing', () => {
  const trace = noisyFigure8()
  const text = timeline(trace, { last: 40 })
  expect(linesOf(text).length).toBeLessThan(40 * 4)
  expect(text).toMatch(/\d+ events of \d+ left out/)
  expect(text).toContain('leader, epoch 4')
  expect(text).toContain('truncates from 2')
  expect(text).toContain('fault 4: isolate n5')
  expect(text).not.toContain('get y')
  expect(text).not.toContain('n6')
})

test('what happened after the violation, or long before it, is not told', () => {
  const { nodes, clients, events } = figure8()
  const last = events.at(-1)?.at ?? 0
  const later: TraceEvent = { at: last + 1, type: 'crashed', node: 'n2', why: 'afterwards' }
  const text = timeline({ nodes, clients, events: [...events, later] }, { around: 100 })
  expect(text).not.toContain('afterwards')
  expect(text).not.toContain('leader, epoch 2')
  expect(text).toContain('leader, epoch 5')
})

test('colours only if asked, and never in the way of the alignment', () => {
  const without = timeline(figure8())
  expect(without).not.toContain('\u001b')
  const coloured = timeline(figure8(), { colour: true })
  expect(coloured).toContain('\u001b[31;1mviolated')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is taken out
  const bare = coloured.replaceAll(/\u001b\[[0-9;]*m/g, '').replaceAll(/ +$/gm, '')
  expect(bare).toBe(without)
})

test('words of a client do not reach the terminal as control sequences', () => {
  const trace: Trace = {
    nodes: ['n1'],
    clients: 1,
    events: [
      { at: 0, type: 'invoked', client: 1, operation: 1, what: 'put \u001b[2J\nx=1' },
      { at: 1, type: 'marked', mark: 'torn\u0000write' },
    ],
  }
  const text = timeline(trace)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/)
  expect(text).toContain('torn write')
})

test('a run without a violation, or without events, has a timeline too', () => {
  expect(linesOf(timeline({ nodes: ['n1'], clients: 0, events: [] }))).toHaveLength(2)
  const calm = timeline({ nodes: ['n1'], clients: 0, events: [{ at: 1, type: 'started', node: 'n1' }] })
  expect(calm).toContain('starts')
  expect(calm).not.toContain('violated')
})

test('that a node follows when it starts goes without saying; that it follows again does not', () => {
  const events: TraceEvent[] = [
    { at: 1, type: 'started', node: 'n1' },
    { at: 1, type: 'role', node: 'n1', role: 'follower', epoch: 0n },
    { at: 9, type: 'role', node: 'n1', role: 'follower', epoch: 3n },
  ]
  const text = timeline({ nodes: ['n1'], clients: 0, events })
  expect(text).not.toContain('follower, epoch 0')
  expect(text).toContain('follower, epoch 3')
})

test('slots of one instant are told together, each thing once', () => {
  const events: TraceEvent[] = [7, 8, 9].map((slot) => ({
    at: 5,
    type: 'appended',
    node: 'n1',
    slot,
    what: slot === 9 ? 'reign term 4' : 'batch term 3',
  }))
  expect(timeline({ nodes: ['n1'], clients: 0, events })).toContain('appends 7..9: batch term 3, reign term 4')
})
