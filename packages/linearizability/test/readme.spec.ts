import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as linearizability from '../src/index.ts'

test('the example of the README prints what the README says', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const [, example] = /```ts\n(.*?)```/s.exec(readme) ?? []
  const [, output] = /```text\n(.*?)```/s.exec(readme) ?? []
  const [, names, rest] = /^import \{ (.*?) \} from '@conclave\/linearizability'\n(.*)$/s.exec(example ?? '') ?? []
  const printed: string[] = []
  const exported = new Map<string, unknown>(Object.entries(linearizability))
  const imported = (names ?? '').split(', ').map((name) => exported.get(name))
  const run = new Function(...(names ?? '').split(', '), 'console', rest ?? '')
  run(...imported, { log: (text: string) => printed.push(text) })
  expect(printed.join('\n')).toBe(output)
})
