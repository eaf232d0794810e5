import {
  ByteReader,
  ByteWriter,
  type Capture,
  type Epoch,
  type LogTime,
  MalformedBytes,
  type Position,
  position,
  type StateMachine,
} from '@conclave/interface'
import type { SessionTable } from './sessions.ts'

/*
 * The body of a snapshot: one stream that holds every machine. docs/formats/replica.md describes it.
 *
 * `magic u32 · version u8 = 1 · position u53 · epoch u64 · time f64 · machines u16`, then the section of the session table and one section for each
 * machine: `name length u8 · name · chunks × (length u32 > 0 · bytes) · 0 u32`.
 */
const magic = 0x53434e43 // "CNCS"
const version = 1
const headBytes = 31
const chunkMost = 16 * 1024 * 1024
const sessionsName = 'sessions'

/** Where in the one order a state stands. */
export interface Point {
  readonly position: Position
  readonly epoch: Epoch
  readonly time: LogTime
}

/** A state held still while its body is written in the background. */
export interface HeldState extends Point {
  readonly sessions: readonly Uint8Array[]
  readonly machines: readonly { readonly name: string; readonly capture: Capture }[]
}

/** Captures every machine at one point. Cheap but for the session table, which is encoded at once. */
export const holdState = (point: Point, sessions: SessionTable, machines: readonly StateMachine[]): HeldState => ({
  ...point,
  sessions: sessions.encode(),
  machines: machines.map((machine) => ({ name: machine.name, capture: machine.capture() })),
})

const encoder = new TextEncoder()

async function* section(
  name: string,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  const title = encoder.encode(name)
  yield new ByteWriter().u8(title.length).raw(title).take()
  for await (const chunk of chunks) {
    if (chunk.length === 0) continue
    yield new ByteWriter(4).u32(chunk.length).take()
    yield chunk
  }
  yield new ByteWriter(4).u32(0).take()
}

/** The body, in small chunks. */
export async function* writeBody(state: HeldState): AsyncIterable<Uint8Array> {
  yield new ByteWriter(headBytes)
    .u32(magic)
    .u8(version)
    .u53(state.position)
    .u64(state.epoch)
    .f64(state.time)
    .u16(state.machines.length)
    .take()
  yield* section(sessionsName, state.sessions)
  for (const { name, capture } of state.machines) yield* section(name, capture.body())
}

/** Hands out exact numbers of bytes of a stream. */
class StreamReader {
  readonly #source: AsyncIterator<Uint8Array>
  #chunk: Uint8Array = new Uint8Array(0)

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** @throws MalformedBytes if the stream ends before. */
  async take(count: number): Promise<Uint8Array> {
    if (this.#chunk.length >= count) return this.#cut(count)
    const whole = new Uint8Array(count)
    let have = 0
    while (have < count) {
      if (this.#chunk.length === 0 && !(await this.#more()))
        throw new MalformedBytes(`the snapshot body ends ${count - have} bytes early`)
      const part = this.#cut(Math.min(count - have, this.#chunk.length))
      whole.set(part, have)
      have += part.length
    }
    return whole
  }

  /** Reads to the end, which lets the journal check its checksum. @throws MalformedBytes if anything is left. */
  async end(): Promise<void> {
    while (this.#chunk.length > 0 || (await this.#more()))
      if (this.#chunk.length > 0) throw new MalformedBytes('bytes follow the end of the snapshot body')
  }

  async close(): Promise<void> {
    await this.#source.return?.()
  }

  #cut(count: number): Uint8Array {
    const part = this.#chunk.subarray(0, count)
    this.#chunk = this.#chunk.subarray(count)
    return part
  }

  async #more(): Promise<boolean> {
    const next = await this.#source.next()
    if (next.done === true) return false
    this.#chunk = next.value
    return true
  }
}

const readHead = async (reader: StreamReader, machines: number): Promise<Point> => {
  const head = new ByteReader(await reader.take(headBytes))
  if (head.u32() !== magic) throw new MalformedBytes('this is no snapshot body')
  const found = head.u8()
  if (found !== version)
    throw new MalformedBytes(`a snapshot body of version ${found}; this build reads version ${version}`)
  const point = { position: position(head.u53()), epoch: head.u64() as Epoch, time: head.f64() as LogTime }
  const count = head.u16()
  if (count !== machines)
    throw new MalformedBytes(`the snapshot holds ${count} machines, this node composes ${machines}`)
  return point
}

const expectName = async (reader: StreamReader, name: string): Promise<void> => {
  const [length = 0] = await reader.take(1)
  const found = new TextDecoder().decode(await reader.take(length))
  if (found !== name)
    throw new MalformedBytes(
      `the snapshot holds the machine ${JSON.stringify(found)} where this node composes ${JSON.stringify(name)}`,
    )
}

async function* sectionChunks(reader: StreamReader): AsyncGenerator<Uint8Array> {
  for (;;) {
    const length = new ByteReader(await reader.take(4)).u32()
    if (length === 0) return
    if (length > chunkMost) throw new MalformedBytes(`a chunk of ${length} bytes in a snapshot body`)
    yield await reader.take(length)
  }
}

const readSessions = async (reader: StreamReader, sessions: SessionTable): Promise<void> => {
  await expectName(reader, sessionsName)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of sectionChunks(reader)) {
    chunks.push(chunk)
    size += chunk.length
  }
  const whole = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  sessions.decode(whole)
}

/**
 * Restores session table and machines from a body. Not atomic: after a throw the state is unusable, and the node stops.
 * @throws MalformedBytes; whatever the stream throws.
 */
export const restoreBody = async (
  body: AsyncIterable<Uint8Array>,
  sessions: SessionTable,
  machines: readonly StateMachine[],
): Promise<Point> => {
  const reader = new StreamReader(body)
  try {
    const point = await readHead(reader, machines.length)
    await readSessions(reader, sessions)
    for (const machine of machines) {
      await expectName(reader, machine.name)
      const chunks = sectionChunks(reader)
      // Without `return`, so that a machine that leaves its loop early does not close the section: the rest is read here.
      await machine.restore({ [Symbol.asyncIterator]: () => ({ next: () => chunks.next() }) })
      while ((await chunks.next()).done !== true);
    }
    await reader.end()
    return point
  } finally {
    await reader.close()
  }
}
