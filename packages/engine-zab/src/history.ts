import { LogTail } from '@conclave/engine-parts'
import { assert } from '@conclave/interface'
import type { Transaction } from './transaction.ts'
import { showZxid, type ZabEpoch, type Zxid } from './zxid.ts'

/** Where the epoch of a transaction would have its counter 0. */
const startOf = (position: number, { counter }: Zxid): number => position - counter + 1

/**
 * The history of accepted transactions (DSN 2011), as far as it is kept in memory. Positions number it from 1 without a gap; the zxid of each
 * position is known from the last snapshot on, in memory or not, since the counters of an epoch are consecutive.
 */
export class History extends LogTail<Transaction, ZabEpoch> {
  /** @param base the position of the last transaction that a snapshot stands for, and its zxid. */
  constructor(base: number, zxid: Zxid) {
    super(base, zxid.epoch, startOf(base, zxid))
  }

  protected override reignOf({ zxid }: Transaction): ZabEpoch {
    return zxid.epoch
  }

  startOver(base: number, zxid: Zxid): void {
    this.reset(base, zxid.epoch, startOf(base, zxid))
  }

  override append(transaction: Transaction): number {
    const { zxid } = transaction
    const expected = this.nextZxid(zxid.epoch)
    assert(
      zxid.counter === expected.counter,
      `transaction ${showZxid(zxid)} after ${showZxid(this.lastZxid)}: the next would be ${showZxid(expected)}`,
    )
    return super.append(transaction)
  }

  get lastZxid(): Zxid {
    return this.zxid(this.last)
  }

  /** The zxid of the next transaction, if it is of this epoch. */
  nextZxid(epoch: ZabEpoch): Zxid {
    const { epoch: lastEpoch, counter } = this.lastZxid
    return { epoch, counter: epoch === lastEpoch ? counter + 1 : 1 }
  }

  /** The zxid of a position from the last snapshot on. */
  zxid(position: number): Zxid {
    if (position === 0) return { epoch: 0 as ZabEpoch, counter: 0 }
    const start = this.starts.findLast(({ at }) => at <= position)
    assert(start !== undefined && position <= this.last, `the zxid of position ${position} is not known`)
    return { epoch: start.reign, counter: position - start.at + 1 }
  }

  /** The last position, from the last snapshot on, whose zxid is at most this one; undefined if there is none. */
  lastUpTo(zxid: Zxid): number | undefined {
    const { starts } = this
    const index = starts.findLastIndex(({ reign }) => reign <= zxid.epoch)
    const start = starts[index]
    if (start === undefined) return undefined
    const end = (starts[index + 1]?.at ?? this.last + 1) - 1
    return start.reign < zxid.epoch ? end : Math.min(end, start.at + zxid.counter - 1)
  }
}
