import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { journalCompliance } from '@conclave/compliance/journal'
import { seededRandom } from '@conclave/interface'
import { describe, test } from 'vitest'
import { fileJournal } from '../src/index.ts'
import { type SimulatedDisk, simulatedDisk } from '../src/testing.ts'
import { handClock } from './support.ts'

const simulated = await journalCompliance({
  name: 'journal-file on a simulated disk',
  store: () => {
    let disk: SimulatedDisk = simulatedDisk()
    const clock = handClock()
    const random = seededRandom(3)
    const journal = () => fileJournal({ directory: '/journal', disk, clock, random, segmentBytes: 8192 })
    return {
      journal,
      rival: journal,
      crash: (how) => {
        disk = disk.crash(how)
      },
      hold: { begin: () => Object.assign(disk.faults, { hold: true }), end: () => disk.release() },
      failing: {
        begin: () => Object.assign(disk.faults, { failSync: true }),
        end: () => Object.assign(disk.faults, { failSync: false }),
      },
      full: {
        begin: () => Object.assign(disk.faults, { capacity: 0 }),
        end: () => {
          disk.faults.capacity = Number.POSITIVE_INFINITY
          clock.pass(10_000)
        },
      },
      corrupt: async (bytes) => {
        const names = async (path: string): Promise<string[]> =>
          (await disk.kind(path)) === 'directory'
            ? (await Promise.all((await disk.list(path)).map((name) => names(`${path}/${name}`)))).flat()
            : [path]
        for (const path of await names('/journal')) {
          const at = Buffer.from(disk.contents(path)).indexOf(bytes)
          if (at >= 0) disk.flip(path, at + 3, 2)
        }
      },
    }
  },
})
simulated.register({ describe, test })

const real = await journalCompliance({
  name: 'journal-file on a real disk',
  store: async () => {
    const directory = await mkdtemp(join(tmpdir(), 'conclave-compliance-'))
    const journal = () => fileJournal({ directory: join(directory, 'journal') })
    return { journal, rival: journal, dispose: () => rm(directory, { recursive: true, force: true }) }
  },
})
real.register({ describe, test })
