/** What happens between finding a directory and the first write: own it, read it, and make what was read durable. */
import type { JournalState, Logger, Random, Slot } from '@conclave/interface'
import { type Disk, errorCode, join, parentOf, readFile } from './disk.ts'
import { type Recovered, recover } from './recovery.ts'
import { indexOfSegment, nameOfSegment, type ReadSegment, readSegment } from './segment-file.ts'

/** Makes the directory and every one above it that is missing, and their entries durable: the deepest that was there may be young as well. */
export const makeDurableDirectory = async (disk: Disk, path: string, logger: Logger): Promise<void> => {
  const parent = parentOf(path)
  if (parent === path) return
  if ((await disk.kind(path)) === undefined) {
    await makeDurableDirectory(disk, parent, logger)
    await disk.makeDirectory(path).catch((error: unknown) => {
      if (errorCode(error) !== 'EEXIST') throw error
    })
  }
  try {
    await disk.syncDirectory(parent, 'parent')
  } catch (error) {
    const code = errorCode(error)
    if (code !== 'EACCES' && code !== 'EPERM') throw error
    logger.warn(
      { directory: parent, code },
      'this directory may not be opened, so the entry of the data directory in it cannot be synced',
    )
  }
}

const readSegments = async (disk: Disk, directory: string): Promise<ReadSegment[]> => {
  const indices = (await disk.list(directory)).map(indexOfSegment).filter((index) => index !== undefined)
  const segments: ReadSegment[] = []
  for (const index of indices.sort((a, b) => a - b)) {
    const path = join(directory, nameOfSegment(index))
    segments.push(readSegment(path, index, await readFile(disk, path)))
  }
  return segments
}

/** @throws CorruptJournal. */
export const readDirectory = async (
  disk: Disk,
  directory: string,
  group: number,
): Promise<Recovered & { readonly nextIndex: number }> => {
  const segments = await readSegments(disk, directory)
  const nextIndex = (segments.at(-1)?.index ?? 0) + 1
  return {
    ...recover(segments, group, { index: nextIndex, path: join(directory, nameOfSegment(nextIndex)) }),
    nextIndex,
  }
}

/** The next opening's name: higher than every one before, and not to be guessed. */
export const nextIncarnation = (opening: number, random: Random): bigint =>
  (BigInt(opening + 1) << 32n) | BigInt(Math.floor(random.next() * 0x1_0000_0000))

export const stateOf = ({ records, entries }: Recovered): JournalState => {
  const slots = [...entries.keys()].sort((a, b) => a - b)
  return {
    ...(records.meta === undefined ? {} : { meta: records.meta }),
    ...(records.snapshot === undefined ? {} : { snapshot: records.snapshot }),
    entries: slots.map((slot: Slot) => ({ slot, bytes: entries.get(slot) ?? new Uint8Array() })),
  }
}
