import { seededRandom } from '@conclave/interface'
import { describe, expect, it } from 'vitest'
import { History } from '../src/history.ts'
import { makeTransaction, type Transaction, transactionKind } from '../src/transaction.ts'
import { compareZxids, noZxid, sameZxid, type Zxid } from '../src/zxid.ts'
import { e, zxidOf } from './nodes.ts'

const transaction = (zxid: Zxid): Transaction => makeTransaction(zxid, transactionKind.batch, new Uint8Array(1))

/** With these zxids, above the snapshot at `base`. */
const historyOf = (zxids: readonly [number, number][], base = 0, baseZxid = noZxid): History => {
  const history = new History(base, baseZxid)
  for (const [epoch, counter] of zxids) history.append(transaction(zxidOf(epoch, counter)))
  return history
}

describe('the history', () => {
  it('names each position by its zxid', () => {
    const history = historyOf([
      [1, 1],
      [1, 2],
      [4, 1],
      [4, 2],
      [6, 1],
    ])
    expect([0, 1, 2, 3, 4, 5].map((at) => history.zxid(at))).toEqual(
      [
        [0, 0],
        [1, 1],
        [1, 2],
        [4, 1],
        [4, 2],
        [6, 1],
      ].map(([epoch, counter]) => ({ epoch, counter })),
    )
    expect(history.lastZxid).toEqual(zxidOf(6, 1))
    expect(() => history.zxid(6)).toThrow('the zxid of position 6 is not known')
  })

  it('an epoch goes on with the next counter, and a new one begins with 1; anything else stops the node', () => {
    const history = historyOf([
      [1, 1],
      [1, 2],
    ])
    expect(history.nextZxid(e(1))).toEqual(zxidOf(1, 3))
    expect(history.nextZxid(e(2))).toEqual(zxidOf(2, 1))
    for (const [epoch, counter] of [
      [1, 2],
      [1, 4],
      [2, 2],
    ] as const)
      expect(() => history.append(transaction(zxidOf(epoch, counter)))).toThrow(
        `transaction ${epoch}.${counter} after 1.2`,
      )
  })

  it('finds what is common with another history by its last zxid', () => {
    const history = historyOf([
      [1, 1],
      [1, 2],
      [4, 1],
      [4, 2],
      [6, 1],
    ])
    for (const [epoch, counter, position] of [
      [0, 0, 0], // nothing
      [1, 1, 1],
      [1, 9, 2], // it has more of epoch 1 than is here
      [2, 1, 2], // it has an epoch that is not known here
      [4, 2, 4],
      [5, 3, 4],
      [6, 1, 5],
      [6, 7, 5],
      [9, 1, 5],
    ] as const)
      expect(history.lastUpTo(zxidOf(epoch, counter)), `${epoch}.${counter}`).toBe(position)
  })

  it('knows zxids from the snapshot on, also of what is in memory no more', () => {
    const history = historyOf(
      [
        [3, 8],
        [5, 1],
        [5, 2],
      ],
      20,
      zxidOf(3, 7),
    )
    expect(history.zxid(20)).toEqual(zxidOf(3, 7))
    history.evictTo(22)
    expect([21, 22, 23].map((at) => history.zxid(at))).toEqual([zxidOf(3, 8), zxidOf(5, 1), zxidOf(5, 2)])
    expect(history.lastUpTo(zxidOf(2, 5))).toBeUndefined()
    history.startOver(40, zxidOf(6, 2))
    expect(history).toMatchObject({ base: 40, last: 40, lastZxid: zxidOf(6, 2) })
    expect(history.nextZxid(e(6))).toEqual(zxidOf(6, 3))
  })

  it('agrees with one that forgets nothing, whatever is appended, truncated, evicted and compacted', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = seededRandom(seed)
      const below = (n: number) => Math.floor(random.next() * n)
      const history = new History(0, noZxid)
      const whole: Zxid[] = []
      let [epoch, base, snapshot] = [1, 0, 0]
      for (let step = 0; step < 100; step++) {
        if (below(4) === 0) epoch++
        for (let more = below(20); more > 0; more--) {
          const zxid = history.nextZxid(e(epoch))
          whole.push(zxid)
          history.append(transaction(zxid))
        }
        if (below(5) === 0 && history.last > base) {
          const cut = base + 1 + below(history.last - base)
          whole.length = cut - 1
          history.truncateFrom(cut)
        }
        if (below(3) === 0) {
          base += below(history.last - base + 1)
          history.evictTo(base)
        }
        if (below(10) === 0 && base > snapshot) {
          snapshot += 1 + below(base - snapshot)
          history.snapshotAt(snapshot)
        }
        expect(history.last).toBe(whole.length)
        for (let at = Math.max(1, snapshot); at <= whole.length; at++) {
          const zxid = whole[at - 1]
          if (zxid === undefined) throw new Error('it is one of them')
          expect(sameZxid(history.zxid(at), zxid)).toBe(true)
          expect(history.lastUpTo(zxid)).toBe(at)
        }
      }
    }
  })
})

describe('zxids', () => {
  it('are ordered by epoch, then by counter', () => {
    const sorted = [zxidOf(2, 1), zxidOf(1, 9), zxidOf(1, 2), noZxid].sort(compareZxids)
    expect(sorted).toEqual([noZxid, zxidOf(1, 2), zxidOf(1, 9), zxidOf(2, 1)])
  })
})
