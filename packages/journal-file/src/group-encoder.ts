import { assert, type Chunks, type JournalOp } from '@conclave/interface'
import { crc32c } from './crc32c.ts'
import {
  checksumFrom,
  type GroupHeader,
  groupHeaderBytes,
  mostBodyBytes,
  roundUp,
  sealGroup,
  writeGroupHeader,
} from './format.ts'
import { opCode } from './operations.ts'
import type { Records } from './records.ts'

/** A chunk up to this long is copied beside the headers: an element of its own in `writev` costs more than the copy. */
const copyUpTo = 1024

export interface EncodedGroup {
  readonly chunks: Chunks
  readonly crc: number
  /** Padding included: a multiple of the sector. */
  readonly size: number
}

/**
 * Gathers the operations of one group into a chunk list for `writev`: headers and small chunks in one scratch buffer, larger chunks as they
 * are. One group at a time: what `finish` returns is valid until the next `begin`.
 */
export class GroupEncoder {
  #scratch = new Uint8Array(65_536)
  #view = new DataView(this.#scratch.buffer)
  #used = groupHeaderBytes
  /** A large chunk stands where the scratch had been filled up to the cut. */
  readonly #cuts: number[] = []
  readonly #large: Uint8Array[] = []
  #largeBytes = 0

  begin(): void {
    this.#used = groupHeaderBytes
    this.#cuts.length = 0
    this.#large.length = 0
    this.#largeBytes = 0
  }

  /** Bytes that the group takes on disk so far. */
  get size(): number {
    return roundUp(this.#used + this.#largeBytes)
  }

  #room(more: number): number {
    const at = this.#used
    const need = at + more
    if (need > this.#scratch.length) {
      const grown = new Uint8Array(Math.max(need, this.#scratch.length * 2))
      grown.set(this.#scratch.subarray(0, at))
      this.#scratch = grown
      this.#view = new DataView(grown.buffer)
    }
    this.#used = need
    return at
  }

  #u8(value: number): void {
    const at = this.#room(1)
    this.#scratch[at] = value
  }
  #u32(value: number): void {
    const at = this.#room(4)
    this.#view.setUint32(at, value, true)
  }
  #u53(value: number): void {
    const at = this.#room(8)
    this.#view.setUint32(at, value >>> 0, true)
    this.#view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true)
  }
  #raw(bytes: Uint8Array): void {
    if (bytes.length <= copyUpTo) {
      const at = this.#room(bytes.length)
      this.#scratch.set(bytes, at)
      return
    }
    this.#cuts.push(this.#used)
    this.#large.push(bytes)
    this.#largeBytes += bytes.length
  }

  add(op: JournalOp): void {
    switch (op.type) {
      case 'meta':
        this.#u8(opCode.meta)
        this.#u32(op.bytes.length)
        this.#raw(op.bytes)
        return
      case 'put': {
        let length = 0
        for (const chunk of op.bytes) length += chunk.length
        this.#u8(opCode.put)
        this.#u53(op.slot)
        this.#u32(length)
        for (const chunk of op.bytes) this.#raw(chunk)
        return
      }
      case 'truncateFrom':
      case 'compactTo':
        this.#u8(opCode[op.type])
        this.#u53(op.slot)
        return
      case 'snapshot': {
        this.#u8(opCode.snapshot)
        this.#u32(op.id.length)
        for (let i = 0; i < op.id.length; i++) this.#u8(op.id.charCodeAt(i))
        this.#u53(op.position)
        this.#u32(op.header.length)
        this.#raw(op.header)
      }
    }
  }

  floor(index: number): void {
    this.#u8(opCode.floor)
    this.#u53(index)
  }

  /** The small live records, with which every segment begins, so that the segments before it can go. */
  records(records: Records): void {
    this.floor(records.floor)
    if (records.meta !== undefined) this.add({ type: 'meta', bytes: records.meta })
    if (records.snapshot !== undefined) this.add({ type: 'snapshot', ...records.snapshot })
    if (records.compacted > 0) this.add({ type: 'compactTo', slot: records.compacted })
  }

  finish(header: GroupHeader): EncodedGroup {
    const length = this.#used - groupHeaderBytes + this.#largeBytes
    assert(length <= mostBodyBytes, `a group of ${length} bytes exceeds ${mostBodyBytes}`)
    const size = this.size
    const end = this.#used
    const padding = size - end - this.#largeBytes
    this.#room(padding)
    this.#scratch.fill(0, end, this.#used)
    writeGroupHeader(this.#view, header, length)
    const chunks: Uint8Array[] = []
    let from = 0
    let crc = 0
    const take = (chunk: Uint8Array, skip: number): void => {
      if (chunk.length > 0) chunks.push(chunk)
      crc = crc32c(skip === 0 ? chunk : chunk.subarray(skip), crc)
    }
    for (let i = 0; i < this.#cuts.length; i++) {
      const cut = this.#cuts[i] as number
      take(this.#scratch.subarray(from, cut), from === 0 ? checksumFrom : 0)
      take(this.#large[i] as Uint8Array, 0)
      from = cut
    }
    crc = crc32c(this.#scratch.subarray(from === 0 ? checksumFrom : from, end), crc)
    chunks.push(this.#scratch.subarray(from, this.#used))
    sealGroup(this.#view, crc)
    return { chunks: chunks.filter((chunk) => chunk.length > 0), crc, size }
  }
}
