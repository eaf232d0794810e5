/**
 * The first message each way on an engine or snapshot stream. The dialer's hello: `version u8 = 1 · lane u8 · group u32 · cluster (u32 length · UTF-8)`.
 * The answer: `version u8 = 1 · verdict u8`. All integers are little-endian. See docs/formats/transport.md.
 */
import { ByteReader, ByteWriter, MalformedBytes } from '@conclave/interface'

export const helloVersion = 1
/** What a stream is for, as it stands in a hello. */
export const lanes = { urgent: 0, bulk: 1, snapshot: 2 } as const
export type StreamLane = keyof typeof lanes
const laneNames: readonly (StreamLane | undefined)[] = ['urgent', 'bulk', 'snapshot']

/** `removed`: the dialler was a member of the cluster, and is none any more. */
export const verdicts = ['welcome', 'wrong-cluster', 'wrong-group', 'unknown-version', 'wrong-lane', 'removed'] as const
export type Verdict = (typeof verdicts)[number]

export interface Hello {
  readonly version: number
  /** Undefined: a lane that this version does not know. */
  readonly lane: StreamLane | undefined
  readonly group: number
  readonly cluster: string
}

/** Bytes of a cluster id in UTF-8. */
export const mostClusterBytes = 256

export const encodeHello = (lane: StreamLane, group: number, cluster: string): Uint8Array =>
  new ByteWriter().u8(helloVersion).u8(lanes[lane]).u32(group).string(cluster).take()

/** Of an unknown version only the version is read. @throws MalformedBytes */
export const decodeHello = (bytes: Uint8Array): Hello => {
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  if (version !== helloVersion) return { version, lane: undefined, group: 0, cluster: '' }
  const hello = { version, lane: laneNames[reader.u8()], group: reader.u32(), cluster: reader.string(mostClusterBytes) }
  reader.end()
  return hello
}

export const encodeVerdict = (verdict: Verdict): Uint8Array => Uint8Array.of(helloVersion, verdicts.indexOf(verdict))

/** @throws MalformedBytes */
export const decodeVerdict = (bytes: Uint8Array): Verdict => {
  const verdict = verdicts[bytes[1] ?? -1]
  if (bytes.length !== 2 || bytes[0] !== helloVersion || verdict === undefined)
    throw new MalformedBytes('not an answer to a hello')
  return verdict
}

/** What a node that stands for `cluster` and `group` says to a hello. */
export const judge = (hello: Hello, fit: readonly StreamLane[], cluster: string, group: number): Verdict => {
  if (hello.version !== helloVersion) return 'unknown-version'
  if (hello.cluster !== cluster) return 'wrong-cluster'
  if (hello.group !== group) return 'wrong-group'
  return hello.lane !== undefined && fit.includes(hello.lane) ? 'welcome' : 'wrong-lane'
}
