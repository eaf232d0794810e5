/** What pages are put together from. */
import { element, escaped } from '@conclave/simulator'
import { styleSheet } from './style.ts'

export const tag = (name: string, style: string | undefined, content: readonly string[] | string): string =>
  element(name, { class: style }, content)

export const paragraph = (words: string, style?: string): string => tag('p', style, escaped(words))

/** A page that needs nothing else: no script, no font, no network. */
export const documentOf = (heading: string, body: readonly string[]): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(heading)}</title>
<style>${styleSheet}</style>
</head>
<body>
<main>${body.join('\n')}</main>
</body>
</html>
`
