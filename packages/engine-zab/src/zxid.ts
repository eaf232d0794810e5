import { type Brand, type ByteReader, type ByteWriter, MalformedBytes } from '@conclave/interface'

/** The number of a leader's reign (DSN 2011): each established leader has one of its own, higher than all before. 0: before any. */
export type ZabEpoch = Brand<number, 'ZabEpoch'>

export const zabEpoch = (value: number): ZabEpoch => {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new MalformedBytes(`an epoch is a safe integer of at least 0, got ${value}`)
  return value as ZabEpoch
}

/** Names a transaction: the epoch of the primary that made it, and its number there, from 1 up. */
export interface Zxid {
  readonly epoch: ZabEpoch
  readonly counter: number
}

/** Before the first transaction. */
export const noZxid: Zxid = { epoch: 0 as ZabEpoch, counter: 0 }

/** The most that a counter holds; then a new epoch has to begin. */
export const mostCounter = 0xffff_ffff

/** By epoch, then by counter. Negative, 0 or positive. */
export const compareZxids = (a: Zxid, b: Zxid): number =>
  a.epoch === b.epoch ? a.counter - b.counter : a.epoch - b.epoch

export const sameZxid = (a: Zxid, b: Zxid): boolean => a.epoch === b.epoch && a.counter === b.counter

/** `3.17`: the seventeenth transaction of epoch 3. */
export const showZxid = ({ epoch, counter }: Zxid): string => `${epoch}.${counter}`

/** `epoch u53 · counter u32`. */
export const zxidBytes = 12

export const writeZxid = (writer: ByteWriter, { epoch, counter }: Zxid): ByteWriter => writer.u53(epoch).u32(counter)

/** @throws MalformedBytes if only one of the two is 0. */
export const readZxid = (reader: ByteReader): Zxid => {
  const zxid = { epoch: zabEpoch(reader.u53()), counter: reader.u32() }
  if ((zxid.epoch === 0) !== (zxid.counter === 0)) throw new MalformedBytes(`a zxid of ${showZxid(zxid)}`)
  return zxid
}
