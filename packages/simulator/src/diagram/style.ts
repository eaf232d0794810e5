/** The colours of a diagram, for light and dark surroundings, as plain CSS that every viewer of SVG understands. */

type Declarations = Readonly<Record<string, string>>

const ink = { light: '#1f2328', dark: '#e6edf3' }
const paper = { light: '#ffffff', dark: '#0d1117' }
const faint = { light: '#656d76', dark: '#8d96a0' }
const rule = { light: '#d0d7de', dark: '#30363d' }
const blue = { light: '#0969da', dark: '#58a6ff' }
const purple = { light: '#8250df', dark: '#bc8cff' }
const green = { light: '#1a7f37', dark: '#3fb950' }
const orange = { light: '#bc4c00', dark: '#f0883e' }
const red = { light: '#cf222e', dark: '#ff7b72' }

type Colour = { readonly light: string; readonly dark: string }

/** What does not depend on the surroundings, by class. */
const fixed: Readonly<Record<string, Declarations>> = {
  text: { 'font-family': "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif", 'font-size': '11px' },
  halo: { 'paint-order': 'stroke', 'stroke-width': '3px', 'stroke-linejoin': 'round' },
  title: { 'font-size': '17px', 'font-weight': '600' },
  node: { 'font-size': '14px', 'font-weight': '600' },
  strong: { 'font-weight': '600' },
  small: { 'font-size': '9.5px' },
  middle: { 'text-anchor': 'middle' },
  end: { 'text-anchor': 'end' },
  line: { fill: 'none', 'stroke-width': '1.3px' },
  follower: { 'stroke-width': '1.6px' },
  leader: { 'stroke-width': '6px' },
  candidate: { 'stroke-width': '3px', 'stroke-dasharray': '5 3' },
  dead: { 'stroke-width': '1.2px', 'stroke-dasharray': '1 5' },
  reply: { 'stroke-dasharray': '5 2.5' },
  lost: { 'stroke-dasharray': '2 3' },
  cross: { 'stroke-width': '2px' },
  tint: { opacity: '0.09', stroke: 'none' },
  bar: { 'stroke-width': '5px' },
  call: { 'stroke-width': '4px' },
  open: { 'stroke-dasharray': '3 3' },
  box: { 'stroke-width': '1.2px' },
  strike: { 'stroke-width': '1.8px' },
  broken: { 'stroke-width': '1.3px' },
  violated: { 'stroke-width': '2.5px' },
}

/** Classes that take a colour, and for what. */
const coloured: readonly (readonly [classes: string, property: 'fill' | 'stroke', colour: Colour])[] = [
  ['.text', 'fill', ink],
  ['.halo', 'stroke', paper],
  ['.paper', 'fill', paper],
  ['.faint', 'fill', faint],
  ['.rule, .broken', 'stroke', rule],
  ['.follower, .dead', 'stroke', faint],
  ['.leader', 'stroke', green],
  ['.candidate', 'stroke', purple],
  ['.leads', 'fill', green],
  ['.campaigns', 'fill', purple],
  ['.carry', 'stroke', blue],
  ['.reply', 'stroke', faint],
  ['.elect', 'stroke', purple],
  ['.other', 'stroke', faint],
  ['.carry-head', 'fill', blue],
  ['.reply-head, .other-head', 'fill', faint],
  ['.elect-head', 'fill', purple],
  ['.lost, .cross', 'stroke', orange],
  ['.tint, .fault', 'fill', orange],
  ['.bar', 'stroke', orange],
  ['.call', 'stroke', blue],
  ['.box', 'stroke', ink],
  ['.box', 'fill', paper],
  ['.decided', 'fill', green],
  ['.decided', 'stroke', green],
  ['.on-decided', 'fill', paper],
  ['.strike', 'stroke', red],
  ['.gone', 'stroke', faint],
  ['.violated', 'stroke', red],
  ['.violation', 'fill', red],
  ['.alarm', 'stroke', red],
  ['.alarm', 'fill', paper],
]

const block = (declarations: Declarations): string =>
  Object.entries(declarations)
    .map(([property, given]) => `${property}:${given}`)
    .join(';')

const palette = (mode: 'light' | 'dark'): string =>
  coloured.map(([classes, property, colour]) => `${classes}{${property}:${colour[mode]}}`).join('')

/** The content of the `style` element. */
export const styleSheet = (): string => {
  const shapes = Object.entries(fixed).map(([name, declarations]) => `.${name}{${block(declarations)}}`)
  return `${shapes.join('')}${palette('light')}@media (prefers-color-scheme:dark){${palette('dark')}}`
}
