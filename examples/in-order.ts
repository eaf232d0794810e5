import assert from 'node:assert/strict'

/** Asserts that these occur in `said` one after the other, whatever is between them. */
export const inOrder = (said: string, expected: readonly RegExp[]): void => {
  let rest = said
  for (const pattern of expected) {
    const found = pattern.exec(rest)
    assert.ok(found, `${pattern} does not follow in\n${said}`)
    rest = rest.slice(found.index + found[0].length)
  }
}
