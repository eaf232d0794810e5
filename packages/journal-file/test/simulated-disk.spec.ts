import { seededRandom } from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import { syncFile, writeAll } from '../src/disk.ts'
import { fileJournal } from '../src/index.ts'
import { type SimulatedDisk, simulatedDisk } from '../src/testing.ts'
import { put, quiet, write } from './support.ts'

const directory = '/journal'
const journalOn = (disk: SimulatedDisk) => fileJournal({ directory, disk, random: seededRandom(1), segmentBytes: 4096 })
const bytesOf = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)

describe('bit rot', () => {
  test('changes one bit of what was synced, and never of the last two writes to a file', async () => {
    const hits = new Set<string>()
    for (let seed = 0; seed < 100; seed++) {
      const disk = simulatedDisk({ random: seededRandom(seed) })
      const file = await disk.create('/file')
      for (let at = 0; at < 5; at++) {
        await writeAll(disk, file, [bytesOf(10, at)], at * 10)
        await syncFile(disk, file, 'group')
      }
      await disk.syncDirectory('/', 'parent')
      const before = disk.contents('/file')
      expect(disk.rot()).toMatch(/^\/file at \d+$/)
      const changed = Array.from(
        disk.contents('/file'),
        (byte, at) => byte ^ (before[at] ?? 0) && [at, byte ^ (before[at] ?? 0)],
      ).filter((change) => change !== 0) as [number, number][]
      expect(changed).toHaveLength(1)
      const [at, bits] = changed[0] as [number, number]
      expect(Math.log2(bits) % 1).toBe(0)
      expect(at).toBeLessThan(30)
      hits.add(`${Math.floor(at / 10)}`)
      // It is on the disk, not only in what is read.
      expect(disk.crash().contents('/file')[at]).toBe((before[at] ?? 0) ^ bits)
    }
    expect([...hits].toSorted()).toEqual(['0', '1', '2'])
  })

  test('finds nothing that is old enough in a new file, in one that was not synced, or in one that was removed', async () => {
    const disk = simulatedDisk()
    expect(disk.rot()).toBeUndefined()
    const file = await disk.create('/file')
    for (let at = 0; at < 5; at++) await writeAll(disk, file, [bytesOf(10, at)], at * 10)
    expect(disk.rot()).toBeUndefined()
    await syncFile(disk, file, 'group')
    await disk.remove('/file')
    expect(disk.rot()).toBeUndefined()
  })

  test('of a journal makes it refuse to open, or hits what counts no more', async () => {
    let refused = 0
    for (let seed = 0; seed < 40; seed++) {
      const disk = simulatedDisk({ random: seededRandom(seed) })
      const journal = journalOn(disk)
      await journal.open(quiet)
      for (let slot = 1; slot <= 8; slot++) await write(journal, put(slot, bytesOf(100, slot)))
      await journal.close()
      const where = disk.rot()
      expect(where).toContain(directory)
      const again = journalOn(disk)
      const found = await again.open(quiet).catch((error: Error) => error)
      if (found instanceof Error) {
        expect(found.name).toBe('CorruptJournal')
        refused++
      } else {
        expect(found.entries.map(({ slot, bytes }) => [slot, bytes[0], bytes.length])).toEqual(
          Array.from({ length: 8 }, (_, at) => [at + 1, at + 1, 100]),
        )
        await again.close()
      }
    }
    expect(refused).toBeGreaterThan(10)
  })
})

describe('a torn write', () => {
  test('is told by the disk that comes back with a part of it, and only by that', async () => {
    const seen = { none: 0, part: 0, all: 0 }
    for (let seed = 0; seed < 200; seed++) {
      const disk = simulatedDisk({ random: seededRandom(seed) })
      const file = await disk.create('/file')
      await writeAll(disk, file, [bytesOf(2_048, 1)], 0)
      await syncFile(disk, file, 'group')
      await disk.syncDirectory('/', 'parent')
      expect(disk.torn).toBe(false)
      await writeAll(disk, file, [bytesOf(2_048, 2)], 0)
      const after = disk.crash()
      const survived = after.contents('/file').filter((byte) => byte === 2).length
      expect(after.torn).toBe(survived > 0 && survived < 2_048)
      seen[survived === 0 ? 'none' : survived === 2_048 ? 'all' : 'part']++
    }
    expect(Math.min(seen.none, seen.part, seen.all)).toBeGreaterThan(10)
  })
})
