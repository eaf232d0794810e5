import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { printLine } from '../src/print-line.ts'

const reader = (write: (done: (error?: Error) => void) => void) =>
  new Writable({
    highWaterMark: 4,
    autoDestroy: false,
    emitClose: false,
    write: (_chunk, _encoding, done) => write(done),
  })

test('a line waits for a slow reader', async () => {
  let take: () => void = () => {}
  const slow = reader((done) => {
    take = done
  })
  let printed = false
  const printing = printLine('a line', slow).then((more) => {
    printed = true
    return more
  })
  await new Promise(setImmediate)
  expect(printed).toBe(false)
  take()
  expect(await printing).toBe(true)
})

test('a reader that has gone is told by an error alone, and then nothing more is written', async () => {
  const gone = reader((done) => setImmediate(() => done(Object.assign(new Error('gone'), { code: 'EPIPE' }))))
  gone.on('error', () => {})
  expect(await printLine('a line', gone)).toBe(false)
  expect(await printLine('another', gone)).toBe(false)
})
