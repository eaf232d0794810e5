import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { seededRandom } from '@conclave/interface'
import { describe, expect, it } from 'vitest'
import { LogTail } from '../src/index.ts'

interface Entry {
  readonly reign: number
}

class Log extends LogTail<Entry, number> {
  protected override reignOf({ reign }: Entry): number {
    return reign
  }
}

/** A log that forgets nothing: what `LogTail` must agree with, as far as it remembers. */
class WholeLog {
  entries: Entry[] = []
  base = 0

  expectSame(log: Log, snapshot: number): void {
    expect(log.last).toBe(this.entries.length)
    expect(log.base).toBe(this.base)
    expect(log.lastReign).toBe(this.entries.at(-1)?.reign ?? 0)
    for (const at of [this.base, this.base + 1, Math.floor((this.base + log.last) / 2), log.last]) {
      const entry = this.entries[at - 1]
      if (at < this.base || at > log.last) continue
      expect(log.reign(at)).toBe(entry?.reign ?? 0)
      if (at > this.base) expect(log.entry(at)).toBe(entry)
    }
    expect(log.reign(this.base - 1)).toBeUndefined()
    expect(log.reign(log.last + 1)).toBeUndefined()
    if (snapshot > 0) expect(log.reignSinceSnapshot(snapshot)).toBe(this.entries[snapshot - 1]?.reign)
  }
}

describe('the log in memory', () => {
  it('agrees with one that forgets nothing, whatever is appended, truncated, evicted and compacted', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = seededRandom(seed)
      const below = (n: number) => Math.floor(random.next() * n)
      const log = new Log(0, 0)
      const whole = new WholeLog()
      let reign = 1
      let snapshot = 0
      for (let step = 0; step < 400; step++) {
        if (below(4) === 0) reign++
        for (let more = below(40); more > 0; more--) {
          const entry = { reign }
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

  it('what is not in memory is not looked up, but stops the node', () => {
    const log = new Log(5, 2)
    expect(() => log.entry(5)).toThrow('not in memory')
    expect(() => log.truncateFrom(5)).toThrow('reaches below the tail')
    expect(() => log.append({ reign: 1 })).toThrow('after one of reign 2')
  })

  it('evicted entries are let go at once', async () => {
    setFlagsFromString('--expose-gc')
    const collect: () => void = runInNewContext('gc')
    const log = new Log(0, 0)
    const entries: WeakRef<object>[] = []
    for (let i = 1; i <= 500; i++) {
      const entry = { reign: 1 }
      entries.push(new WeakRef(entry))
      log.append(entry)
      if (i > 2) log.evictTo(i - 2)
    }
    await new Promise((resolve) => setImmediate(resolve)) // a weak reference holds until the job ends that made it
    collect()
    expect(log.last).toBe(500)
    expect(entries.filter((entry) => entry.deref() !== undefined).length).toBeLessThan(10)
  })
})
