import type { SnapshotId } from '@conclave/interface'
import { expect, test } from 'vitest'
import { crc32c } from '../src/crc32c.ts'
import { fileJournal } from '../src/index.ts'
import { type SimulatedDisk, simulatedDisk } from '../src/testing.ts'
import { compactTo, handClock, meta, put, quiet, snapshot, stage, text, truncateFrom, write } from './support.ts'

test('CRC-32C gives the values of RFC 3720, appendix B.4, whole or in parts', () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, at) => at)
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
  expect(crc32c(ascending)).toBe(0x46dd794e)
  expect(crc32c(text('123456789'))).toBe(0xe3069283)
  for (let cut = 0; cut <= 32; cut++)
    expect(crc32c(ascending.subarray(cut), crc32c(ascending.subarray(0, cut)))).toBe(0x46dd794e)
})

/** Lines of `offset: hex`, lines of zeros left out. */
const dump = (bytes: Uint8Array): string => {
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += 16) {
    const line = Buffer.from(bytes.subarray(at, at + 16))
    if (line.some((byte) => byte !== 0)) lines.push(`${at.toString(16).padStart(6, '0')}: ${line.toString('hex')}`)
  }
  return `${lines.join('\n')}\n${bytes.length} bytes\n`
}

const golden = async (): Promise<string> => {
  const disk: SimulatedDisk = simulatedDisk()
  const journal = fileJournal({
    directory: '/journal',
    disk,
    clock: handClock(),
    random: { next: () => 0.5 },
    segmentBytes: 8192,
    group: 7,
  })
  await journal.open(quiet)
  await write(journal, meta(text('term 1')), put(1, text('one')), put(2, text('t'), text('wo')))
  await write(journal, truncateFrom(2), put(3, new Uint8Array(1500).fill(0x55)))
  await stage(journal, 'snap-1', text('state '), text('of the machine'))
  await write(journal, snapshot('snap-1', 1), compactTo(1))
  await journal.close()
  const shown = ['/journal/segment-000000000001', '/journal/snapshots/snap-1' as SnapshotId].map(
    (path) => `${path}\n${dump(disk.contents(path))}`,
  )
  return shown.join('\n')
}

test('the bytes of format version 1 are these', async () => {
  await expect(await golden()).toMatchFileSnapshot('./testdata/journal-v1.txt')
})
