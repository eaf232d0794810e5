/**
 * The durability test: a load is recorded with all its writes and syncs; for every point of the record the disk is rebuilt as what was synced
 * plus a random part of what was not, and the real recovery must find every acknowledged write, and nothing but a prefix of the issued ones.
 */
import { type Journal, type JournalOp, type JournalState, type Random, seededRandom } from '@conclave/interface'
import { fileJournal, type SyncSite } from '../src/index.ts'
import { DiskImage, diskOf, type ImageOp, type SimulatedDisk } from '../src/testing.ts'
import {
  compactTo,
  describeState,
  handClock,
  Model,
  meta,
  put,
  quiet,
  readBody,
  settle,
  snapshot,
  stage,
  truncateFrom,
} from './support.ts'

const directory = '/home/data/journal'

export interface DurabilityRun {
  readonly seed: number
  /** Sync calls that are left out, in every life of the journal. */
  readonly skipped: readonly SyncSite[]
  readonly writes: number
}

/** Every write that was ever issued, what the state is after each, and when each was acknowledged. */
class History {
  readonly #model = new Model()
  readonly states = [describeState({ entries: [] })]
  readonly bodies = new Map<string, string>()
  last = 0
  first = 1
  snapshots = 0

  apply(ops: readonly JournalOp[]): void {
    this.#model.apply(ops)
    this.states.push(describeState(this.#model.state()))
  }
}

/** A history that goes on from what a recovery found. */
const historyFrom = (state: JournalState, bodies: ReadonlyMap<string, string>, snapshots: number): History => {
  const history = new History()
  const ops: JournalOp[] = state.entries.map(({ slot, bytes }) => put(slot, bytes))
  if (state.meta !== undefined) ops.push(meta(state.meta))
  if (state.snapshot !== undefined) ops.push({ type: 'snapshot', ...state.snapshot })
  history.apply(ops)
  history.states.shift()
  for (const [id, body] of bodies) history.bodies.set(id, body)
  history.first = (state.snapshot?.position ?? 0) + 1
  history.last = state.entries.at(-1)?.slot ?? state.snapshot?.position ?? 0
  history.snapshots = snapshots
  return history
}

interface Mark {
  /** Length of the trace when the write was issued, and when it was acknowledged. */
  readonly issued: number
  acknowledged: number
}

interface Life {
  readonly disk: SimulatedDisk
  readonly history: History
  /** `marks[k]` belongs to the write after which the state is `history.states[k + 1]`. */
  readonly marks: readonly Mark[]
  /** Length of the trace when `open` returned. */
  readonly opened: number
  readonly found: JournalState
}

const bytesOf = (random: Random, most: number): Uint8Array => {
  const bytes = new Uint8Array(Math.floor(random.next() * most))
  for (let i = 0; i < bytes.length; i += 7) bytes[i] = Math.floor(random.next() * 256)
  return bytes
}

/** One random write of the kinds that engines make. Now and then one that exceeds a whole segment. */
const randomOps = (history: History, random: Random): JournalOp[] => {
  const dice = random.next()
  if (dice < 0.15) return [meta(bytesOf(random, 60))]
  if (dice < 0.25 && history.last > history.first) {
    const from = history.first + Math.floor(random.next() * (history.last - history.first))
    history.last = from
    return [truncateFrom(from), put(from, bytesOf(random, 300))]
  }
  const ops: JournalOp[] = []
  for (let n = 1 + Math.floor(random.next() * 3); n > 0; n--)
    ops.push(put(++history.last, bytesOf(random, 200), bytesOf(random, dice > 0.97 ? 9000 : 1500)))
  return ops
}

const nameSnapshot = async (journal: Journal, history: History, random: Random): Promise<JournalOp[]> => {
  const id = `body-${++history.snapshots}`
  const body = bytesOf(random, 3000)
  history.bodies.set(id, Buffer.from(body).toString('base64'))
  await stage(journal, id, body.subarray(0, 1000), body.subarray(1000))
  const upTo = history.first + Math.floor(random.next() * (history.last - history.first + 1))
  history.first = upTo + 1
  history.last = Math.max(history.last, upTo)
  return [snapshot(id, upTo), compactTo(upTo)]
}

/** Opens the journal on `disk` and puts `writes` random writes on it, several of them outstanding at a time. */
const live = async (disk: SimulatedDisk, run: DurabilityRun, random: Random, before?: History): Promise<Life> => {
  for (const site of run.skipped) disk.faults.skippedSyncs.add(site)
  const journal = fileJournal({ directory, disk, clock: handClock(), random, segmentBytes: 4096, group: 5 })
  const found = await journal.open(quiet)
  const opened = disk.trace.length
  const history = historyFrom(found, before?.bodies ?? new Map(), before?.snapshots ?? 0)
  const marks: Mark[] = []
  const issue = (ops: readonly JournalOp[]): void => {
    const mark: Mark = { issued: disk.trace.length, acknowledged: Number.POSITIVE_INFINITY }
    marks.push(mark)
    history.apply(ops)
    journal.write(ops, (error) => {
      if (error === undefined) mark.acknowledged = disk.trace.length
    })
  }
  for (let n = 0; n < run.writes; n++) {
    if (random.next() < 0.12 && history.last > 0) issue(await nameSnapshot(journal, history, random))
    else issue(randomOps(history, random))
    if (random.next() < 0.4) await settle()
  }
  await settle()
  await journal.close()
  return { disk, history, marks, opened, found }
}

const fail = (what: string): never => {
  throw new Error(what)
}

/** Index of a state that a recovery found, at least `from` and at most `to`. */
const locate = (life: Pick<Life, 'history'>, found: JournalState, from: number, to: number, where: string): number => {
  const text = describeState(found)
  for (let at = from; at <= to; at++) if (life.history.states[at] === text) return at
  const elsewhere = life.history.states.indexOf(text)
  return fail(
    `${where}: the state is none of those after writes ${from} to ${to} (acknowledged to issued); ${elsewhere < 0 ? 'no state of the history' : `it is that after write ${elsewhere}`}`,
  )
}

/** Opens what a crash left and checks it, with the body of the snapshot that it names. */
const reopen = async (
  disk: SimulatedDisk,
  run: DurabilityRun,
  random: Random,
  bodies: ReadonlyMap<string, string>,
  where: string,
): Promise<JournalState> => {
  for (const site of run.skipped) disk.faults.skippedSyncs.add(site)
  const journal = fileJournal({ directory, disk, clock: handClock(), random, segmentBytes: 4096, group: 5 })
  const found = await journal.open(quiet).catch((error: unknown) => fail(`${where}: recovery refuses: ${error}`))
  const named = found.snapshot?.id
  if (named !== undefined) {
    const body = await readBody(journal, named).catch((error: unknown) =>
      fail(`${where}: the named body is lost: ${error}`),
    )
    if (Buffer.from(body).toString('base64') !== bodies.get(named))
      fail(`${where}: the body of ${named} is not what was staged`)
  }
  return found
}

const range = (life: Life, point: number): { acknowledged: number; issued: number } => {
  let acknowledged = 0
  let issued = 0
  life.marks.forEach((mark, at) => {
    if (mark.acknowledged <= point) acknowledged = at + 1
    if (mark.issued <= point) issued = at + 1
  })
  return { acknowledged, issued }
}

const imageOf = (ops: readonly ImageOp[]): DiskImage => {
  const image = new DiskImage()
  for (const op of ops) image.apply(op)
  return image
}

/** Power is lost at every point of `life`; `visit` may go on with the disk that comes back, before it is opened. */
const crashEverywhere = async (
  life: Life,
  base: DiskImage,
  run: DurabilityRun,
  random: Random,
  name: string,
  tries: number,
  visit?: (survivor: DiskImage, point: number) => Promise<void>,
): Promise<void> => {
  const image = base.crash(random)
  for (let point = 0; point <= life.disk.trace.length; point++) {
    const { acknowledged, issued } = range(life, point)
    for (let attempt = 0; attempt < tries; attempt++) {
      const where = `seed ${run.seed}, ${name}, crash at ${point} of ${life.disk.trace.length}`
      const survivor = image.crash(random)
      const found = await reopen(diskOf(survivor.crash(random)), run, random, life.history.bodies, where)
      // A directory that has not been opened once may hold nothing of an earlier life.
      locate(life, found, acknowledged, issued, where)
      if (attempt === 0) await visit?.(survivor, point)
    }
    const op = life.disk.trace[point]
    if (op !== undefined) image.apply(op)
  }
}

/** The process is killed at `point` and comes back on the same machine; what its `open` finds must then survive a loss of power. */
const killThenCrash = async (life: Life, run: DurabilityRun, random: Random, point: number): Promise<void> => {
  const before = life.disk.trace.slice(0, point)
  const where = `seed ${run.seed}, killed at ${point}`
  const second = await live(diskOf(imageOf(before)), { ...run, writes: 3 }, random, life.history)
  const { acknowledged, issued } = range(life, point)
  locate(life, second.found, acknowledged, issued, where)
  for (let at = second.opened; at <= second.disk.trace.length; at += 2) {
    const found = await reopen(
      diskOf(imageOf([...before, ...second.disk.trace.slice(0, at)]).crash(random)),
      run,
      random,
      second.history.bodies,
      `${where}, then power lost at ${at}`,
    )
    const seen = range(second, at)
    locate(second, found, seen.acknowledged, seen.issued, `${where}, then power lost at ${at}`)
  }
}

/** @throws with the seed and the crash point if an acknowledged write is lost, or the state is no prefix of the issued writes. */
export const checkDurability = async (
  run: DurabilityRun,
): Promise<{ points: number; syncs: ReadonlyMap<SyncSite, number> }> => {
  const random = seededRandom(run.seed)
  const blank = new DiskImage()
  for (const op of [
    { type: 'directory', path: '/home' },
    { type: 'syncDirectory', path: '/' },
  ] as const)
    blank.apply(op)
  const life = await live(diskOf(blank.crash(random)), run, random)
  const base = blank
  let points = life.disk.trace.length + 1
  await crashEverywhere(life, base, run, random, 'first life', 2, async (survivor, point) => {
    if (point % 9 !== 0) return
    const second = await live(diskOf(survivor.crash(random)), { ...run, writes: 4 }, random, life.history)
    points += second.disk.trace.length + 1
    await crashEverywhere(second, survivor, run, random, `second life after a crash at ${point}`, 1)
  })
  return { points, syncs: life.disk.syncs }
}

/** The same for kills: no power is lost until the next process has opened the directory. */
export const checkKills = async (run: DurabilityRun): Promise<void> => {
  const random = seededRandom(run.seed)
  const disk = diskOf(new DiskImage())
  await disk.makeDirectory('/home')
  const life = await live(disk, run, random)
  for (let point = 1; point <= life.disk.trace.length; point += 3) await killThenCrash(life, run, random, point)
}
