import { CorruptJournal, type DiskState, JournalFailed, type SnapshotId, seededRandom } from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import { type FileJournalInit, fileJournal } from '../src/index.ts'
import { type SimulatedDisk, simulatedDisk } from '../src/testing.ts'
import {
  chunks,
  compactTo,
  describeState,
  handClock,
  meta,
  put,
  quiet,
  readBody,
  settle,
  snapshot,
  stage,
  text,
  truncateFrom,
  write,
} from './support.ts'

const directory = '/journal'
const journalOn = (disk: SimulatedDisk, more: Partial<FileJournalInit> = {}) =>
  fileJournal({ directory, disk, clock: handClock(), random: seededRandom(3), segmentBytes: 8192, ...more })

const reopened = async (disk: SimulatedDisk): Promise<string> => describeState(await journalOn(disk).open(quiet))
const segments = async (disk: SimulatedDisk): Promise<string[]> =>
  (await disk.list(directory)).filter((name) => name.startsWith('segment-'))

describe('a journal on a disk', () => {
  test('gives back what was written: records, gaps, replacements, truncation', async () => {
    const disk = simulatedDisk()
    const journal = journalOn(disk)
    expect(await journal.open(quiet)).toEqual({ entries: [] })
    await write(
      journal,
      meta(text('term 1')),
      put(1, text('a'), text('b')),
      put(2, text('c')),
      put(7, new Uint8Array(3000).fill(9)),
    )
    await write(journal, truncateFrom(3), put(2, text('d')), put(9), meta(text('term 2')))
    await journal.close()
    const state = await journalOn(disk).open(quiet)
    expect(state.meta).toEqual(text('term 2'))
    expect(state.entries.map(({ slot, bytes }) => [slot, Buffer.from(bytes).toString()])).toEqual([
      [1, 'ab'],
      [2, 'd'],
      [9, ''],
    ])
  })

  test('syncs once for all writes that arrive while one is in flight', async () => {
    const disk = simulatedDisk()
    const journal = journalOn(disk)
    await journal.open(quiet)
    const before = journal.stats()
    const order: number[] = []
    disk.faults.hold = true
    for (let n = 1; n <= 50; n++) journal.write([put(n, text(`entry ${n}`))], () => order.push(n))
    expect(order).toEqual([])
    disk.release()
    await settle()
    expect(order).toEqual(Array.from({ length: 50 }, (_, at) => at + 1))
    expect(journal.stats().syncs - before.syncs).toBe(2)
    await journal.close()
    expect((await journalOn(disk).open(quiet)).entries).toHaveLength(50)
  })

  test('goes on through many segments, and gives up those in which nothing is live', async () => {
    const disk = simulatedDisk()
    const journal = journalOn(disk)
    await journal.open(quiet)
    await write(journal, meta(text('kept')))
    for (let n = 1; n <= 100; n++) await write(journal, put(n, new Uint8Array(900).fill(n)))
    await settle()
    expect((await segments(disk)).length).toBeGreaterThan(10)
    await stage(journal, 'body', text('state'))
    await write(journal, snapshot('body', 98), compactTo(98))
    await settle()
    expect((await segments(disk)).length).toBeLessThan(4)
    expect(journal.stats().bytes).toBeLessThan(4 * 8192)
    await journal.close()
    const state = await journalOn(disk).open(quiet)
    expect(state.entries.map((entry) => entry.slot)).toEqual([99, 100])
    expect([state.meta, state.snapshot?.id, state.snapshot?.position]).toEqual([text('kept'), 'body', 98])
  })

  test('a write larger than a segment gets a segment of its own size', async () => {
    const disk = simulatedDisk()
    const journal = journalOn(disk)
    await journal.open(quiet)
    const big = new Uint8Array(50_000).map((_, at) => at % 251)
    await Promise.all([
      write(journal, put(1, text('small'))),
      write(journal, put(2, big)),
      write(journal, put(3, text('after'))),
    ])
    await journal.close()
    const { entries } = await journalOn(disk).open(quiet)
    expect(entries.map((entry) => entry.bytes)).toEqual([text('small'), big, text('after')])
  })

  test('restarting again and again costs little room', async () => {
    const disk = simulatedDisk()
    for (let n = 1; n <= 20; n++) {
      const journal = journalOn(disk)
      await journal.open(quiet)
      await write(journal, put(n, text(`start ${n}`)))
      expect(journal.stats().bytes).toBeLessThan(8192 + n * 2048)
      await journal.close()
    }
    expect((await journalOn(disk).open(quiet)).entries).toHaveLength(20)
  })

  test('restarting without a write in between copies no more each time', async () => {
    const disk = simulatedDisk()
    const sizes: number[] = []
    for (let n = 1; n <= 12; n++) {
      const journal = journalOn(disk)
      await journal.open(quiet)
      if (n === 1) await write(journal, meta(new Uint8Array(2000).fill(1)), put(1, text('kept')), put(2, text('x')))
      await journal.close()
      sizes.push(journal.stats().bytes)
    }
    expect(new Set(sizes.slice(2)).size).toBe(1)
    const state = await journalOn(disk).open(quiet)
    expect([state.meta?.length, state.entries.map((entry) => entry.slot)]).toEqual([2000, [1, 2]])
  })

  test('starts on a full disk, as long as there is room for one group', async () => {
    const disk = simulatedDisk()
    const first = journalOn(disk)
    await first.open(quiet)
    await write(first, put(1, text('kept')))
    const next = disk.kill()
    next.faults.capacity = 8192 + 3000
    const journal = journalOn(next)
    expect((await journal.open(quiet)).entries).toHaveLength(1)
    next.faults.capacity = Number.POSITIVE_INFINITY
    await write(journal, put(2, new Uint8Array(3000)))
    await journal.close()
    expect((await journalOn(next).open(quiet)).entries).toHaveLength(2)
  })

  test('refuses what breaks the contract before anything of it is written', async () => {
    const journal = journalOn(simulatedDisk())
    await journal.open(quiet)
    expect(() => journal.write([snapshot('nowhere', 1)], () => {})).toThrow(/before its body is staged/)
    expect(() => journal.write([put(0, text('x'))], () => {})).toThrow(/a slot is a safe integer/)
    expect(() => journal.write([meta(new Uint8Array(65_537))], () => {})).toThrow(/at most 65536 bytes/)
    await stage(journal, 'body', text('state'))
    await write(journal, put(5, text('x')), snapshot('body', 5), compactTo(5))
    expect(() => journal.write([put(5, text('x'))], () => {})).toThrow(/was compacted/)
    await expect(
      journal.stage('../../etc/passwd' as SnapshotId, chunks(), new AbortController().signal),
    ).rejects.toThrow(RangeError)
    await expect(stage(journal, 'body', text('again'))).rejects.toThrow(/an id of its own/)
    await expect(journal.open(quiet)).rejects.toThrow(/opened once/)
    await journal.close()
    await journal.close()
    await expect(write(journal, put(6, text('x')))).rejects.toThrow(JournalFailed)
  })

  test('waits at close for the write in flight and fails those that wait', async () => {
    const disk = simulatedDisk()
    const journal = journalOn(disk)
    await journal.open(quiet)
    disk.faults.hold = true
    const results = [write(journal, put(1, text('in flight'))), write(journal, put(2, text('waiting')))]
    const settled = Promise.allSettled(results)
    const closed = journal.close()
    disk.release()
    await closed
    expect((await settled).map((result) => result.status)).toEqual(['fulfilled', 'rejected'])
    expect((await journalOn(disk).open(quiet)).entries).toHaveLength(1)
  })

  test('another group, or a newer format, is refused with a reason', async () => {
    const disk = simulatedDisk()
    await journalOn(disk, { group: 1 }).open(quiet)
    await expect(journalOn(disk.kill(), { group: 2 }).open(quiet)).rejects.toThrow(/belongs to group 1, not 2/)
  })

  test('without durability it says so', async () => {
    const warnings: string[] = []
    const disk = simulatedDisk()
    const logger = {
      debug: () => {},
      info: () => {},
      error: () => {},
      warn: (_: object, message: string) => warnings.push(message),
    }
    const journal = journalOn(disk, { durability: 'memory', logger })
    await journal.open(quiet)
    await write(journal, put(1, text('x')))
    expect(warnings.join()).toMatch(/DURABILITY IS OFF/)
    expect(disk.syncs.size).toBe(0)
  })
})

/** A journal with three small groups after the first, killed without a mark; and where each of its groups lies. */
const threeGroups = async (): Promise<{ disk: SimulatedDisk; path: string; before: string[]; ends: number[] }> => {
  const disk = simulatedDisk()
  const journal = journalOn(disk)
  await journal.open(quiet)
  const ends = [1024]
  const before: string[] = []
  for (let n = 1; n <= 3; n++) {
    await write(journal, put(n, new Uint8Array(600).fill(n)), meta(text(`term ${n}`)))
    ends.push(512 + 512 + n * 1024)
  }
  for (let n = 0; n <= 3; n++) {
    before.push(
      describeState({
        ...(n === 0 ? {} : { meta: text(`term ${n}`) }),
        entries: Array.from({ length: n }, (_, at) => ({
          slot: (at + 1) as never,
          bytes: new Uint8Array(600).fill(at + 1),
        })),
      }),
    )
  }
  return { disk: disk.kill(), path: `${directory}/segment-000000000001`, before, ends }
}

/** A copy of a disk with one file's bytes from `from` on zeroed, or one bit flipped. */
const changed = (disk: SimulatedDisk, path: string, change: (disk: SimulatedDisk) => void): SimulatedDisk => {
  const copy = disk.crash({ next: () => 0.99 })
  expect(copy.contents(path).length).toBeGreaterThan(0)
  change(copy)
  return copy
}

describe('a torn tail is cut, damage is refused', () => {
  test('a last group torn at any byte is cut, and nothing else', async () => {
    const { disk, path, before, ends } = await threeGroups()
    const whole = disk.contents(path)
    const [, , start = 0, end = 0] = ends
    for (let cut = start; cut < end; cut += 1) {
      const torn = simulatedDisk()
      await torn.makeDirectory(directory)
      const file = await torn.create(path)
      await new Promise<void>((resolve) =>
        torn.write(file, [whole.slice(0, cut), new Uint8Array(whole.length - cut)], 0, () => resolve()),
      )
      const padding = whole.slice(cut, end).every((byte) => byte === 0)
      expect(await reopened(torn)).toBe(padding ? before[3] : before[2])
    }
  })

  test('a bit flipped anywhere in synced data, of which a later group or mark tells, refuses the start', async () => {
    const { disk, path, before, ends } = await threeGroups()
    const [, , start = 0] = ends
    const bytes = disk.contents(path)
    let refused = 0
    for (let offset = 0; offset < start; offset += 3) {
      const damaged = changed(disk, path, (copy) => copy.flip(path, offset, offset % 8))
      // What pads headers and groups to whole sectors is no data.
      const free =
        bytes[offset] === 0 &&
        (await reopened(changed(disk, path, (copy) => copy.flip(path, offset, offset % 8))).catch(() => 'refused')) ===
          before[3]
      if (free) continue
      await expect(journalOn(damaged).open(quiet)).rejects.toThrow(CorruptJournal)
      refused++
    }
    expect(refused).toBeGreaterThan(450)
  })

  test('the last group too is protected once a mark says that it was synced', async () => {
    const clock = handClock()
    const disk = simulatedDisk()
    const journal = journalOn(disk, { clock })
    await journal.open(quiet)
    await write(journal, put(1, text('acknowledged')))
    clock.pass(1000)
    await settle()
    const after = disk.kill()
    const path = `${directory}/segment-000000000001`
    const at = Buffer.from(after.contents(path)).indexOf('acknowledged')
    expect((await journalOn(changed(after, path, () => {})).open(quiet)).entries).toHaveLength(1)
    const damaged = changed(after, path, (copy) => copy.flip(path, at, 3))
    await expect(journalOn(damaged).open(quiet)).rejects.toThrow(/add it anew under a new identity/)
  })

  test('a segment that is missing is noticed, in the middle and at the start', async () => {
    for (const missing of [1, 3]) {
      const disk = simulatedDisk()
      const journal = journalOn(disk)
      await journal.open(quiet)
      for (let n = 1; n <= 40; n++) await write(journal, put(n, new Uint8Array(900)))
      await journal.close()
      await disk.remove(`${directory}/segment-00000000000${missing}`)
      await expect(journalOn(disk).open(quiet)).rejects.toThrow(CorruptJournal)
    }
  })

  test('damage that was passed over once does not come back', async () => {
    const { disk, path, before, ends } = await threeGroups()
    const torn = changed(disk, path, (copy) => copy.flip(path, (ends[2] ?? 0) + 100, 1))
    const journal = journalOn(torn)
    expect(describeState(await journal.open(quiet))).toBe(before[2])
    await write(journal, put(3, text('instead')))
    await journal.close()
    expect((await journalOn(torn).open(quiet)).entries.map((entry) => entry.bytes.length)).toEqual([600, 600, 7])
  })
})

describe('faults of the disk', () => {
  test('a failed sync is terminal: every write from then on fails, in order', async () => {
    const disk = simulatedDisk()
    const journal = journalOn(disk)
    await journal.open(quiet)
    await write(journal, put(1, text('safe')))
    disk.faults.failSync = true
    const order: string[] = []
    const told = (name: string) => (error?: Error) => order.push(`${name} ${error?.name}`)
    journal.write([put(2, text('lost'))], told('second'))
    journal.write([put(3, text('behind'))], told('third'))
    await settle()
    journal.write([put(4, text('late'))], told('fourth'))
    disk.faults.failSync = false
    await settle()
    expect(order).toEqual(['second JournalFailed', 'third JournalFailed', 'fourth JournalFailed'])
    await journal.close()
    // The lost group reads back clean, so that only a copy makes it safe to rely on.
    const next = disk.kill()
    const second = journalOn(next)
    const found = describeState(await second.open(quiet))
    expect(await reopened(next.crash())).toBe(found)
  })

  test('a failed write is terminal', async () => {
    const disk = simulatedDisk()
    const journal = journalOn(disk)
    await journal.open(quiet)
    disk.faults.failWrite = true
    await expect(write(journal, put(1, text('x')))).rejects.toThrow(/EIO.*opened anew/)
    await journal.close()
  })

  test('on a full disk writes wait, none is acknowledged, none is lost', async () => {
    const clock = handClock()
    const disk = simulatedDisk()
    const journal = journalOn(disk, { clock })
    const states: DiskState[] = []
    await journal.open({ disk: (state) => states.push(state) })
    disk.faults.capacity = 3 * 8192
    let acknowledged = 0
    for (let n = 1; n <= 60; n++)
      journal.write([put(n, new Uint8Array(900).fill(n))], (error) => {
        if (error === undefined) acknowledged++
      })
    for (let n = 61; n <= 120; n++) {
      await settle()
      journal.write([put(n, new Uint8Array(900).fill(n))], (error) => {
        if (error === undefined) acknowledged++
      })
    }
    await settle()
    expect(states).toEqual(['full'])
    const stuck = acknowledged
    expect(stuck).toBeLessThan(120)
    clock.pass(500)
    await settle()
    expect([acknowledged, states]).toEqual([stuck, ['full']])
    disk.faults.capacity = Number.POSITIVE_INFINITY
    clock.pass(500)
    await settle()
    expect([acknowledged, states]).toEqual([120, ['full', 'ok']])
    await journal.close()
    expect((await journalOn(disk).open(quiet)).entries).toHaveLength(120)
  })

  test('a full disk does not keep the journal from closing', async () => {
    const disk = simulatedDisk()
    const journal = journalOn(disk)
    await journal.open(quiet)
    disk.faults.capacity = 0
    const big = write(journal, put(1, new Uint8Array(20_000)))
    await settle()
    const outcome = expect(big).rejects.toThrow(JournalFailed)
    await journal.close()
    await outcome
  })

  test('a write that takes longer than a second is told as slow', async () => {
    const clock = handClock()
    const disk = simulatedDisk()
    const journal = journalOn(disk, { clock })
    const states: DiskState[] = []
    await journal.open({ disk: (state) => states.push(state) })
    disk.faults.hold = true
    const written = write(journal, put(1, text('x')))
    clock.pass(1000)
    clock.pass(1000)
    expect(states).toEqual(['slow'])
    disk.release()
    await written
    expect(states).toEqual(['slow', 'ok'])
    await journal.close()
  })
})

describe('snapshot bodies', () => {
  test('are staged, named, read, replaced; the old one stays readable to whoever reads it', async () => {
    const disk = simulatedDisk()
    const journal = journalOn(disk)
    await journal.open(quiet)
    const big = new Uint8Array(700_000).map((_, at) => at % 253)
    await stage(journal, 'first', big)
    await write(journal, snapshot('first', 0))
    const reader = journal.readSnapshot('first' as SnapshotId)[Symbol.asyncIterator]()
    const head = await reader.next()
    expect(head.value?.length).toBeLessThanOrEqual(262_144)
    await stage(journal, 'second', text('next'), text(' state'))
    await write(journal, snapshot('second', 0))
    await settle()
    expect(await disk.list(`${directory}/snapshots`)).toEqual(['second'])
    const parts = [head.value ?? new Uint8Array()]
    for (let next = await reader.next(); next.done !== true; next = await reader.next()) parts.push(next.value)
    expect(Buffer.compare(Buffer.concat(parts), big)).toBe(0)
    expect(await readBody(journal, 'second')).toEqual(text('next state'))
    await stage(journal, 'unnamed', text('x'))
    await stage(journal, 'empty')
    expect(await readBody(journal, 'empty')).toEqual(new Uint8Array())
    await journal.discard('empty' as SnapshotId)
    await journal.discard('empty' as SnapshotId)
    await journal.close()
    const next = journalOn(disk)
    expect((await next.open(quiet)).snapshot?.id).toBe('second')
    expect(await disk.list(`${directory}/snapshots`)).toEqual(['second'])
    await next.close()
  })

  test('a flipped bit is found before the last chunk is handed over', async () => {
    const disk = simulatedDisk()
    const journal = journalOn(disk)
    await journal.open(quiet)
    await stage(journal, 'body', new Uint8Array(300_000).fill(7))
    for (const offset of [0, 12, 16, 25, 200_000, 300_040]) {
      disk.flip(`${directory}/snapshots/body`, offset, 2)
      let read = 0
      const reading = (async () => {
        for await (const part of journal.readSnapshot('body' as SnapshotId)) read += part.length
      })()
      await expect(reading).rejects.toThrow(CorruptJournal)
      expect(read).toBeLessThan(300_000)
      disk.flip(`${directory}/snapshots/body`, offset, 2)
    }
    expect((await readBody(journal, 'body')).length).toBe(300_000)
    await journal.close()
  })

  test('an error, an abort and a close remove what was staged so far, and never touch the writes', async () => {
    const disk = simulatedDisk()
    const journal = journalOn(disk)
    await journal.open(quiet)
    const abort = new AbortController()
    const forever: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }
    const aborted = expect(journal.stage('aborted' as SnapshotId, forever, abort.signal)).rejects.toThrow('enough')
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield text('some')
      throw new Error('the machine is gone')
    }
    await expect(journal.stage('failing' as SnapshotId, failing(), new AbortController().signal)).rejects.toThrow(
      'the machine is gone',
    )
    await write(journal, put(1, text('x')))
    abort.abort(new Error('enough'))
    await aborted
    disk.faults.capacity = 0
    await expect(stage(journal, 'full', new Uint8Array(1000))).rejects.toThrow('ENOSPC')
    disk.faults.capacity = Number.POSITIVE_INFINITY
    expect(await disk.list(`${directory}/snapshots`)).toEqual([])
    const closed = expect(journal.stage('closed' as SnapshotId, forever, new AbortController().signal)).rejects.toThrow(
      JournalFailed,
    )
    await settle()
    await journal.close()
    await closed
    expect(await disk.list(`${directory}/snapshots`)).toEqual([])
  })

  test('a named body that is missing refuses the start', async () => {
    const disk = simulatedDisk()
    const journal = journalOn(disk)
    await journal.open(quiet)
    await stage(journal, 'body', text('state'))
    await write(journal, snapshot('body', 0))
    await journal.close()
    await disk.remove(`${directory}/snapshots/body`)
    await expect(journalOn(disk).open(quiet)).rejects.toThrow(/names snapshot body/)
  })
})
