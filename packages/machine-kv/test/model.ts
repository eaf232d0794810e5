import type { ApplyContext, Epoch, LogTime, Position, StateMachine } from '@conclave/interface'

/** The simplest store that could be right. */
export class Model {
  revision = 0n
  entries = new Map<string, { value: string; created: bigint; modified: bigint; version: number }>()
  events: { key: string; value?: string; revision: bigint }[] = []

  put(key: string, value: string, ifRevision?: bigint): bigint | undefined {
    const before = this.entries.get(key)
    if (ifRevision !== undefined && (before?.modified ?? 0n) !== ifRevision) return undefined
    this.revision += 1n
    this.entries.set(key, {
      value,
      created: before?.created ?? this.revision,
      modified: this.revision,
      version: (before?.version ?? 0) + 1,
    })
    this.events.push({ key, value, revision: this.revision })
    return this.revision
  }

  delete(key: string, ifRevision?: bigint): bigint | undefined {
    const before = this.entries.get(key)
    if (ifRevision !== undefined && (before?.modified ?? 0n) !== ifRevision) return undefined
    if (before === undefined) return this.revision
    this.revision += 1n
    this.entries.delete(key)
    this.events.push({ key, revision: this.revision })
    return this.revision
  }

  /** In byte order of UTF-8. */
  sorted(): [string, { value: string; created: bigint; modified: bigint; version: number }][] {
    return [...this.entries].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  }
}

export const context: ApplyContext = { position: 1 as Position, time: 0 as LogTime, epoch: 1n as Epoch }
export const text = new TextEncoder()
export const plain = new TextDecoder()

export const bodyOf = async (machine: StateMachine): Promise<Uint8Array> => {
  const capture = machine.capture()
  const chunks: Uint8Array[] = []
  for await (const chunk of capture.body()) chunks.push(chunk)
  capture.release()
  return Buffer.concat(chunks)
}

/** The bytes in pieces of `size`. */
export async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
