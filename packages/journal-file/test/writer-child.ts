/** Writes to the journal in argv[2] as fast as it takes it, and prints the number of each write when it is done, until it is killed. */
import { writeSync } from 'node:fs'
import type { Slot } from '@conclave/interface'
import { fileJournal } from '../src/index.ts'

const journal = fileJournal({ directory: process.argv[2] ?? '', segmentBytes: 65_536 })
const { entries } = await journal.open({ disk: () => {} })
let next = (entries.at(-1)?.slot ?? 0) + 1
let outstanding = 0

const fill = (): void => {
  while (outstanding < 20) {
    const slot = next++
    outstanding++
    journal.write(
      [
        {
          type: 'put',
          slot: slot as Slot,
          bytes: [new TextEncoder().encode(`write ${slot} `), new Uint8Array((slot * 37) % 3000)],
        },
      ],
      (error) => {
        if (error !== undefined) throw error
        writeSync(1, `${slot}\n`)
        outstanding--
        setImmediate(fill)
      },
    )
  }
}
fill()
