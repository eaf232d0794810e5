import { describe, expect, test } from 'vitest'
import { BadLine, type ImportSummary, importRecords, readRecords } from '../src/import-records.ts'
import { progressLine } from '../src/progress.ts'

async function* pieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const all = async (text: string, size: number): Promise<unknown[]> => {
  const records: unknown[] = []
  for await (const record of readRecords(pieces(text, size))) records.push(record)
  return records
}
const fresh = (): ImportSummary => ({ records: 0, underWay: 0, firstRevision: undefined, lastRevision: undefined })
type Put = Parameters<typeof importRecords>[0]['put']

describe('records', () => {
  test.each([1, 2, 3, 7, 1000])('are the same however the input is cut (%i bytes)', async (size) => {
    expect(await all('{"key":"ä","value":"1"}\n\r\n  \n{"key":"b","value":"ü","more":1}', size)).toEqual([
      { line: 1, key: 'ä', value: '1' },
      { line: 4, key: 'b', value: 'ü' },
    ])
  })

  test.each([
    ['{"key":"a","value":"1"}\nnonsense', 'line 2: not JSON'],
    ['{"key":"","value":"1"}', 'line 1: needs a "key"'],
    ['\n{"key":"a","value":1}', 'line 2: needs a "value"'],
    ['[1]', 'line 1: needs a "key"'],
  ])('that are none are named by their line: %s', async (text, message) => {
    await expect(all(text, 5)).rejects.toThrow(message)
    await expect(all(text, 5)).rejects.toBeInstanceOf(BadLine)
  })
})

describe('values', () => {
  test('that are no text come in base64, as `kv ls --json` writes them', async () => {
    expect(await all('{"key":"a","valueBase64":"AP8="}', 100)).toEqual([
      { line: 1, key: 'a', value: Buffer.from([0, 255]) },
    ])
    await expect(all('{"key":"a","valueBase64":"*"}', 100)).rejects.toThrow('line 1: "valueBase64" is not base64')
  })

  test('are never changed in silence: what has no UTF-8 is refused', async () => {
    await expect(all('{"key":"a","value":"\\ud800"}', 100)).rejects.toThrow(
      'line 1: the "value" holds a lone surrogate',
    )
    await expect(all('{"key":"\\udc00","value":""}', 100)).rejects.toThrow('line 1: the "key" holds a lone surrogate')
    const latin = (async function* () {
      yield Buffer.from('{"key":"a","value":"1"}\n{"key":"\u00e4","value":"1"}\n', 'latin1')
    })()
    const reader = readRecords(latin)
    expect((await reader.next()).value).toMatchObject({ key: 'a' })
    await expect(reader.next()).rejects.toThrow('line 2: not UTF-8')
  })

  test('may follow a byte order mark', async () => {
    expect(await all('\ufeff{"key":"a","value":"1"}\r\n', 2)).toEqual([{ line: 1, key: 'a', value: '1' }])
  })
})

describe('an import', () => {
  const input = (count: number) =>
    readRecords(pieces(Array.from({ length: count }, (_, at) => `{"key":"k${at}","value":"v"}\n`).join(''), 4096))

  test('has a bounded number of records under way', async () => {
    let underWay = 0
    let most = 0
    let revision = 0n
    const put = (async () => {
      underWay += 1
      most = Math.max(most, underWay)
      await new Promise((resolve) => setImmediate(resolve))
      underWay -= 1
      revision += 1n
      return { done: true, revision, previous: 0n }
    }) as Put
    const summary = fresh()
    expect(await importRecords({ put }, input(10_000), summary, 1000)).toBeUndefined()
    expect(summary).toEqual({ records: 10_000, underWay: 0, firstRevision: 1n, lastRevision: 10_000n })
    expect(most).toBeLessThanOrEqual(2048)
    expect(most).toBeGreaterThan(100)
  })

  test('ends at the first failure, and says at which line', async () => {
    const put = (async (key: string) => {
      if (key === 'k7') throw new Error('no more')
      return { done: true, revision: 1n, previous: 0n }
    }) as Put
    const failed = await importRecords({ put }, input(10), fresh(), 1000)
    expect(failed).toMatchObject({ line: 8, error: { message: 'no more' } })
  })

  test('that is not over at a bad line still counts what came before', async () => {
    const put = (async () => ({ done: true, revision: 1n, previous: 0n })) as Put
    const summary = fresh()
    const failed = await importRecords(
      { put },
      readRecords(pieces('{"key":"a","value":"1"}\n{}\n', 100)),
      summary,
      1000,
    )
    expect(failed).toMatchObject({ line: 2 })
    expect(summary.records).toBe(1)
  })
})

describe('an import that is interrupted', () => {
  test('takes no more, waits for what is under way, and says up to where everything is written', async () => {
    const stop = new AbortController()
    const waiting: (() => void)[] = []
    const put = ((key: string) =>
      new Promise((resolve) => {
        const done = () => resolve({ done: true, revision: 1n, previous: 0n })
        if (key === 'k2') done()
        else waiting.push(done)
        if (key === 'k4') stop.abort()
      })) as Put
    const text = Array.from({ length: 100 }, (_, at) => `{"key":"k${at}","value":"v"}\n`).join('')
    const summary = fresh()
    const importing = importRecords({ put }, readRecords(pieces(text, 4096)), summary, 1000, stop.signal)
    await new Promise((resolve) => setImmediate(resolve))
    for (const done of waiting) done()
    expect(await importing).toMatchObject({ line: 6, error: { name: 'Interrupted' } })
    expect(summary).toMatchObject({ records: 5, underWay: 0 })
  })

  test('does not count a line that failed as written', async () => {
    const stop = new AbortController()
    const put = (async (key: string) => {
      if (key === 'k1') {
        stop.abort()
        throw new Error('lost')
      }
      return { done: true, revision: 1n, previous: 0n }
    }) as Put
    const text = '{"key":"k0","value":"v"}\n{"key":"k1","value":"v"}\n'
    const failed = await importRecords({ put }, readRecords(pieces(text, 4096)), fresh(), 1000, stop.signal)
    expect(failed).toMatchObject({ line: 2, error: { name: 'Interrupted' } })
  })
})

test('progress is a bar if the size is known, and says when the cluster does not answer', () => {
  expect(progressLine({ records: 10, underWay: 3 }, 5, 0.5)).toBe('████████████░░░░░░░░░░░░  50 %  10 records  5/s')
  expect(progressLine({ records: 10, underWay: 3 }, 0, undefined)).toBe('10 records  waiting for the cluster')
  expect(progressLine({ records: 10, underWay: 0 }, 0, undefined)).toBe('10 records  waiting for input')
})
