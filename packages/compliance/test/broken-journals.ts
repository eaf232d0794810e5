import { concatChunks, type Journal, type JournalOp, type JournalState } from '@conclave/interface'
import { fileJournal, type SyncSite } from '@conclave/journal-file'
import { simulatedDisk } from '@conclave/journal-file/testing'
import { type MemoryJournal, memoryJournal } from '@conclave/journal-memory'
import type { JournalStore } from '../src/journal.ts'

/** Changes some methods of a journal. */
const changed = (journal: Journal, change: Partial<Journal>): Journal => ({
  open: (events) => journal.open(events),
  write: (ops, done) => journal.write(ops, done),
  stage: (id, body, signal) => journal.stage(id, body, signal),
  discard: (id) => journal.discard(id),
  readSnapshot: (id) => journal.readSnapshot(id),
  stats: () => journal.stats(),
  close: () => journal.close(),
  ...change,
})

/** Leaves some operations out, or changes them. */
const rewritten = (journal: Journal, rewrite: (ops: readonly JournalOp[]) => readonly JournalOp[]): Journal =>
  changed(journal, { write: (ops, done) => journal.write(rewrite(ops), done) })

const without =
  (type: JournalOp['type']) =>
  (journal: Journal): Journal =>
    rewritten(journal, (ops) => ops.filter((op) => op.type !== type))

const state = (journal: Journal, alter: (found: JournalState) => JournalState): Journal =>
  changed(journal, { open: async (events) => alter(await journal.open(events)) })

/** A journal in memory that is broken in one way, and the test that has to see it. */
export const brokenInMemory: Readonly<Record<string, { found: string; breaks(): (journal: Journal) => Journal }>> = {
  'tells a write as done before it has returned': {
    found: 'write: done is called once each',
    breaks: () => (journal) =>
      changed(journal, {
        write: (ops, done) => {
          journal.write(ops, () => {})
          done()
        },
      }),
  },
  'tells a write as done before it is durable': {
    found: 'write: nothing is acknowledged before it is durable',
    breaks: () => (journal) =>
      changed(journal, {
        write: (ops, done) => {
          journal.write(ops, () => {})
          queueMicrotask(() => done())
        },
      }),
  },
  'tells writes in another order': {
    found: 'write: done is called once each',
    breaks: () => (journal) => {
      let held: (() => void) | undefined
      return changed(journal, {
        write: (ops, done) =>
          journal.write(ops, (error) => {
            if (held === undefined && error === undefined && ops.length === 1) held = () => done()
            else done(error)
            setImmediate(() => held?.())
          }),
      })
    },
  },
  'goes on after a write that failed': {
    found: 'done(error) is terminal',
    breaks: () => (journal) => {
      let failed = false
      return changed(journal, {
        write: (ops, done) =>
          journal.write(ops, (error) => {
            const tell = failed || error === undefined ? undefined : error
            failed ||= error !== undefined
            if (tell === undefined) done()
            else done(tell)
          }),
      })
    },
  },
  'forgets to truncate': { found: 'truncateFrom: forgets', breaks: () => without('truncateFrom') },
  'forgets to compact': { found: 'compactTo: forgets', breaks: () => without('compactTo') },
  'keeps the first of two values': {
    found: 'put: replaces what the slot held',
    breaks: () => (journal) => {
      const seen = new Set<number>()
      return rewritten(journal, (ops) =>
        ops.filter((op) => {
          if (op.type !== 'put') return true
          const first = !seen.has(op.slot)
          seen.add(op.slot)
          return first
        }),
      )
    },
  },
  'keeps the first chunk only': {
    found: 'put: sets a slot, its chunks together',
    breaks: () => (journal) =>
      rewritten(journal, (ops) => ops.map((op) => (op.type === 'put' ? { ...op, bytes: op.bytes.slice(0, 1) } : op))),
  },
  'lends out its own memory': {
    found: 'write: the bytes are the caller’s again',
    breaks: () => {
      const lent = new Map<number, Uint8Array>()
      const lending = (ops: readonly JournalOp[]): readonly JournalOp[] => {
        for (const op of ops) if (op.type === 'put') lent.set(op.slot, concatChunks(op.bytes))
        return ops
      }
      return (journal) =>
        state(rewritten(journal, lending), (found) => ({
          ...found,
          entries: found.entries.map((entry) => ({ ...entry, bytes: lent.get(entry.slot) ?? entry.bytes })),
        }))
    },
  },
  'reads a body in one piece': {
    found: 'stage, snapshot, readSnapshot',
    breaks: () => (journal) =>
      changed(journal, {
        readSnapshot: async function* (id) {
          const chunks: Uint8Array[] = []
          for await (const chunk of journal.readSnapshot(id)) chunks.push(chunk)
          yield Buffer.concat(chunks)
        },
      }),
  },
  'keeps what could not be staged': {
    found: 'stage: on an error of the body',
    breaks: () => (journal) =>
      changed(journal, {
        stage: (id, body, signal) => {
          const cut = async function* (): AsyncGenerator<Uint8Array> {
            try {
              yield* body
            } catch {
              // Swallowed: as if the body had ended there.
            }
          }
          return journal.stage(id, cut(), signal)
        },
      }),
  },
  'does not wait for the write in flight when it closes': {
    found: 'close: waits for the write in flight',
    breaks: () => (journal) => {
      let closed = false
      return changed(journal, {
        write: (ops, done) => journal.write(ops, (error) => (closed ? undefined : done(error))),
        close: () => {
          closed = true
          return journal.close()
        },
      })
    },
  },
}

/** A store in memory, as in journal-memory's own spec, with something around every journal. */
export const memoryStore = (breaks: () => (journal: Journal) => Journal) => (): JournalStore => {
  let present: MemoryJournal = memoryJournal()
  const next = (): MemoryJournal => {
    present = present.reopen()
    return present
  }
  const broken = breaks()
  return {
    journal: () => broken(next()),
    crash: next,
    hold: { begin: () => Object.assign(present.faults, { hold: true }), end: () => present.release() },
    failing: { begin: () => Object.assign(present.faults, { failSync: true }), end: () => {} },
  }
}

/** The journal of files on a simulated disk, as if one of its syncs were missing in the code. */
export const storeWithout = (site: SyncSite) => (): JournalStore => {
  let disk = simulatedDisk()
  const journal = (): Journal => {
    disk.faults.skippedSyncs.add(site)
    return fileJournal({ directory: '/journal', disk, segmentBytes: 8192 })
  }
  return {
    journal,
    crash: (random) => {
      disk = disk.crash(random)
    },
  }
}
