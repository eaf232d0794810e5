import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DiskState } from '@conclave/interface'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fileJournal } from '../src/index.ts'
import { compactTo, handClock, meta, put, quiet, readBody, snapshot, stage, text, write } from './support.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'conclave-journal-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test('on a real file system: segments, snapshots, group commit, reopening', async () => {
  const path = join(directory, 'made', 'by', 'the-journal')
  const journal = fileJournal({ directory: path, segmentBytes: 65_536 })
  await journal.open(quiet)
  const written: Promise<void>[] = []
  for (let n = 1; n <= 400; n++) written.push(write(journal, put(n, text(`head ${n} `), new Uint8Array(2000).fill(n))))
  await Promise.all(written)
  expect(journal.stats().syncs).toBeLessThan(100)
  await stage(journal, 'body', new Uint8Array(600_000).fill(3))
  await write(journal, meta(text('term 9')), snapshot('body', 390), compactTo(390))
  await journal.close()
  const next = fileJournal({ directory: path, segmentBytes: 65_536 })
  const state = await next.open(quiet)
  expect(state.entries.map((entry) => entry.slot)).toEqual([391, 392, 393, 394, 395, 396, 397, 398, 399, 400])
  expect(Buffer.from(state.entries[9]?.bytes ?? []).toString('latin1')).toMatch(/^head 400 \x90{2000}$/)
  expect([state.meta, state.snapshot?.position]).toEqual([text('term 9'), 390])
  expect((await readBody(next, 'body')).length).toBe(600_000)
  await next.close()
})

const mounted = (size: string): boolean => {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe('a file system that is really full', () => {
  test('holds writes back, acknowledges none of them, and goes on when there is room', async (context) => {
    if (!mounted('1m')) return context.skip('mounting a small file system needs root')
    try {
      const filler = join(directory, 'filler')
      const clock = handClock()
      const journal = fileJournal({ directory: join(directory, 'journal'), segmentBytes: 65_536, clock })
      const states: DiskState[] = []
      let told: () => void = () => {}
      const full = new Promise<void>((resolve) => {
        told = resolve
      })
      await journal.open({
        disk: (state) => {
          states.push(state)
          told()
        },
      })
      writeFileSync(filler, new Uint8Array(800_000))
      let acknowledged = 0
      const written: Promise<void>[] = []
      for (let n = 1; n <= 40; n++)
        written.push(write(journal, put(n, new Uint8Array(12_000).fill(n))).then(() => void acknowledged++))
      await full
      const stuck = acknowledged
      expect(stuck).toBeLessThan(40)
      rmSync(filler)
      clock.pass(1000)
      await Promise.all(written)
      expect(states).toEqual(['full', 'ok'])
      await journal.close()
      const next = fileJournal({ directory: join(directory, 'journal'), segmentBytes: 65_536 })
      expect((await next.open(quiet)).entries).toHaveLength(40)
      await next.close()
    } finally {
      execFileSync('umount', [directory])
    }
  })
})
