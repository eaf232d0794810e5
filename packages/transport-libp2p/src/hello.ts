/**
 * The first message each way on an engine or snapshot stream. All integers are little-endian. See docs/formats/transport.md.
 *
 * - The dialer's hello: `version u8 = 2 · lane u8 · group u32 · cluster (u32 length · UTF-8) · engine (u32 length · UTF-8)`, and what later releases add.
 * - The answer: `version u8 = 2 · verdict u8 · engine (u32 length · UTF-8)`, and what later releases add.
 * - Version 1, of the first release, ends before `engine` both times. A hello of version 1, or of an unknown one, is answered in version 1.
 */
import { ByteReader, ByteWriter, isEngineName, MalformedBytes } from '@conclave/interface'

/** The newest. */
export const helloVersion = 2
export const firstVersion = 1
/** Of hello and answer, as they are written here. */
export type HelloVersion = typeof helloVersion | typeof firstVersion
/** What a stream is for, as it stands in a hello. */
export const lanes = { urgent: 0, bulk: 1, snapshot: 2 } as const
export type StreamLane = keyof typeof lanes
const laneNames: readonly (StreamLane | undefined)[] = ['urgent', 'bulk', 'snapshot']

/** `removed`: the dialler was a member of the cluster, and is none any more. `wrong-engine`: it runs another one than who answers. */
export const verdicts = [
  'welcome',
  'wrong-cluster',
  'wrong-group',
  'unknown-version',
  'wrong-lane',
  'removed',
  'wrong-engine',
] as const
export type Verdict = (typeof verdicts)[number]

export interface Hello {
  readonly version: number
  /** Undefined: a lane that this version does not know. */
  readonly lane: StreamLane | undefined
  readonly group: number
  readonly cluster: string
  /** The name of the dialler's engine; undefined if it does not say. */
  readonly engine: string | undefined
}

/** What a hello and its answer are about. */
export interface HelloInit {
  readonly cluster: string
  readonly group: number
  /** The engine's name; undefined: none is said, and none is refused. */
  readonly engine: string | undefined
}

export interface Answer {
  readonly verdict: Verdict
  /** The engine of who answers, if it says. */
  readonly engine: string | undefined
}

/** Bytes of a cluster id in UTF-8. */
export const mostClusterBytes = 256
/** Bytes of an engine's name. */
const mostEngineBytes = 63

export const encodeHello = (
  lane: StreamLane,
  { group, cluster, engine = '' }: HelloInit,
  version: HelloVersion = helloVersion,
): Uint8Array => {
  const writer = new ByteWriter().u8(version).u8(lanes[lane]).u32(group).string(cluster)
  return (version === firstVersion ? writer : writer.string(engine)).take()
}

/** Empty: it is not said. */
const readEngine = (reader: ByteReader): string | undefined => {
  const engine = reader.string(mostEngineBytes)
  if (engine === '') return undefined
  if (!isEngineName(engine)) throw new MalformedBytes('not the name of an engine')
  return engine
}

/** Of an unknown version only the version is read. @throws MalformedBytes */
export const decodeHello = (bytes: Uint8Array): Hello => {
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  if (version !== firstVersion && version !== helloVersion)
    return { version, lane: undefined, group: 0, cluster: '', engine: undefined }
  const lane = laneNames[reader.u8()]
  const hello = { version, lane, group: reader.u32(), cluster: reader.string(mostClusterBytes) }
  if (version === helloVersion) return { ...hello, engine: readEngine(reader) }
  reader.end()
  return { ...hello, engine: undefined }
}

/** @param to the hello that is answered. */
export const encodeAnswer = ({ verdict, engine = '' }: Answer, to: Pick<Hello, 'version'>): Uint8Array => {
  const writer = new ByteWriter()
  const index = verdicts.indexOf(verdict)
  return to.version === helloVersion
    ? writer.u8(helloVersion).u8(index).string(engine).take()
    : writer.u8(firstVersion).u8(index).take()
}

/** @throws MalformedBytes */
export const decodeAnswer = (bytes: Uint8Array): Answer => {
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  const verdict = verdicts[reader.u8()]
  if (verdict === undefined || (version !== firstVersion && version !== helloVersion))
    throw new MalformedBytes('not an answer to a hello')
  if (version === helloVersion) return { verdict, engine: readEngine(reader) }
  reader.end()
  return { verdict, engine: undefined }
}

/** What a node answers to a hello. Engines are compared where both sides name one. */
export const judge = (hello: Hello, fit: readonly StreamLane[], own: HelloInit): Verdict => {
  if (hello.version !== firstVersion && hello.version !== helloVersion) return 'unknown-version'
  if (hello.cluster !== own.cluster) return 'wrong-cluster'
  if (hello.group !== own.group) return 'wrong-group'
  if (hello.lane === undefined || !fit.includes(hello.lane)) return 'wrong-lane'
  const differ = hello.engine !== undefined && own.engine !== undefined && hello.engine !== own.engine
  return differ ? 'wrong-engine' : 'welcome'
}
