import { seededRandom } from '@conclave/interface'
import { describe, expect, it } from 'vitest'
import { type Entry, entryKind, makeEntry, type Term } from '../src/entry.ts'
import { RaftLog } from '../src/log.ts'

/** A log that forgets nothing: what `RaftLog` must agree with, as far as it remembers. */
class WholeLog {
  entries: Entry[] = []
  base = 0

  expectSame(log: RaftLog, snapshot: number): void {
    expect(log.last).toBe(this.entries.length)
    expect(log.base).toBe(this.base)
    expect(log.lastTerm).toBe(this.entries.at(-1)?.term ?? 0)
    for (const at of [this.base, this.base + 1, Math.floor((this.base + log.last) / 2), log.last]) {
      const entry = this.entries[at - 1]
      if (at < this.base || at > log.last) continue
      expect(log.term(at)).toBe(entry?.term ?? 0)
      if (at > this.base) expect(log.entry(at)).toBe(entry)
    }
    expect(log.term(this.base - 1)).toBeUndefined()
    expect(log.term(log.last + 1)).toBeUndefined()
    if (snapshot > 0) expect(log.reignSinceSnapshot(snapshot)).toBe(this.entries[snapshot - 1]?.term)
  }
}

describe('the log in memory', () => {
  it('agrees with one that forgets nothing, whatever is appended, truncated, evicted and compacted', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = seededRandom(seed)
      const below = (n: number) => Math.floor(random.next() * n)
      const log = new RaftLog(0, 0 as Term)
      const whole = new WholeLog()
      let term = 1
      let snapshot = 0
      for (let step = 0; step < 400; step++) {
        if (below(4) === 0) term++
        for (let more = below(40); more > 0; more--) {
          const entry = makeEntry(term as Term, entryKind.batch, new Uint8Array(1))
          whole.entries.push(entry)
          log.append(entry)
        }
        if (below(5) === 0 && log.last > log.base) {
          const cut = log.base + 1 + below(log.last - log.base)
          if (cut > snapshot) {
            whole.entries.length = cut - 1
            log.truncateFrom(cut)
          }
        }
        if (below(3) === 0) {
          whole.base += below(log.last - log.base + 1)
          log.evictTo(whole.base)
        }
        if (below(10) === 0 && whole.base > snapshot) {
          snapshot = snapshot + 1 + below(whole.base - snapshot)
          log.snapshotAt(snapshot)
        }
        whole.expectSame(log, snapshot)
      }
    }
  })

  it('what is not in memory is not looked up, but stops the server', () => {
    const log = new RaftLog(5, 2 as Term)
    expect(() => log.entry(5)).toThrow('not in memory')
    expect(() => log.truncateFrom(5)).toThrow('reaches below the tail')
    expect(() => log.append(makeEntry(1 as Term, entryKind.batch, new Uint8Array()))).toThrow('after one of reign 2')
  })
})
