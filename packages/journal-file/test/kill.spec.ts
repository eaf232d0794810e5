import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fileJournal } from '../src/index.ts'
import { quiet } from './support.ts'

/** Runs the writer until it has acknowledged `count` more writes, kills it, and resolves to the last number that it printed. */
const killAfter = (directory: string, count: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const script = new URL('writer-child.ts', import.meta.url).pathname
    const child = spawn(process.execPath, ['--conditions=@conclave/source', script, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let printed = ''
    child.once('error', reject)
    child.stdout.on('data', (data: Buffer) => {
      printed += data.toString()
      if (printed.split('\n').length > count) child.kill('SIGKILL')
    })
    child.once('close', () => resolve(Number(printed.slice(0, printed.lastIndexOf('\n')).split('\n').at(-1))))
  })

test('a process killed under load, again and again, loses nothing that it acknowledged', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'conclave-kill-'))
  try {
    for (let round = 1; round <= 4; round++) {
      const acknowledged = await killAfter(directory, 60 * round)
      expect(acknowledged).toBeGreaterThan(0)
      const journal = fileJournal({ directory, segmentBytes: 65_536 })
      const { entries } = await journal.open(quiet)
      await journal.close()
      expect(entries.length).toBeGreaterThanOrEqual(acknowledged)
      entries.forEach(({ slot, bytes }, at) => {
        expect(slot).toBe(at + 1)
        expect(Buffer.from(bytes.subarray(0, 30)).toString()).toContain(`write ${slot} `)
      })
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
