import { ByteReader, ByteWriter, type Chunks, MalformedBytes, type NodeId, nodeId } from '@conclave/interface'
import { type Ballot, ballotBytes, noBallot, readBallot, writeBallot } from './ballot.ts'
import { type Configuration, decodeConfiguration, encodeConfiguration } from './configuration.ts'

/** What a slot may hold. The numbers stand on disk and on the wire. */
export const valueKind = { batch: 1, noop: 2, reign: 3, stop: 4 } as const
export type ValueKind = (typeof valueKind)[keyof typeof valueKind]

/**
 * A value that may be chosen for a slot (the "decree"). It stays the same, byte for byte, whichever ballots propose it again: `origin` is the
 * ballot in which it was proposed first.
 */
export interface Value {
  readonly origin: Ballot
  readonly kind: ValueKind
  readonly payload: Uint8Array
  /** What goes to the journal, after the ballot, and over the wire: header and payload. */
  readonly encoded: Chunks
  /** Length of `encoded` in bytes. */
  readonly size: number
}

/** `origin ballot · kind u8`, then the payload. */
export const valueHeaderBytes = ballotBytes + 1

/** The header of every value of a kind that is proposed first in `origin`: made once for many. */
export const encodeValueHeader = (origin: Ballot, kind: ValueKind): Uint8Array =>
  writeBallot(new ByteWriter(valueHeaderBytes), origin).u8(kind).take()

/** @param header what `encodeValueHeader` gives for these. */
export const makeValue = (
  origin: Ballot,
  kind: ValueKind,
  payload: Uint8Array,
  header = encodeValueHeader(origin, kind),
): Value => ({ origin, kind, payload, encoded: [header, payload], size: valueHeaderBytes + payload.length })

const nothing = new Uint8Array()

/** Fills a hole that must be filled before later slots can be delivered (Paxos Made Simple, section 3). */
export const noop: Value = makeValue(noBallot, valueKind.noop, nothing)

/** Opens the reign of `origin`. */
export const makeReign = (origin: Ballot, leader: NodeId): Value =>
  makeValue(origin, valueKind.reign, new ByteWriter().string(leader).take())

/** Ends its configuration and names the next one (Lamport, Malkhi, Zhou: Reconfiguring a State Machine, section 4.2). */
export const makeStop = (origin: Ballot, next: Configuration): Value =>
  makeValue(origin, valueKind.stop, encodeConfiguration(next))

export const decodeReign = (payload: Uint8Array): NodeId => {
  const reader = new ByteReader(payload)
  const leader = reader.string(128)
  reader.end()
  if (leader.length === 0) throw new MalformedBytes('an empty node id')
  return nodeId(leader)
}

/** Parses one value, its payload included unless that is a batch, of which it is a view on `bytes`. @throws MalformedBytes. */
export const decodeValue = (bytes: Uint8Array): Value => {
  const reader = new ByteReader(bytes)
  const origin = readBallot(reader)
  const kind = reader.u8()
  const payload = bytes.subarray(valueHeaderBytes)
  switch (kind) {
    case valueKind.batch:
      break
    case valueKind.noop:
      if (payload.length > 0) throw new MalformedBytes(`a no-op of ${payload.length} bytes`)
      break
    case valueKind.reign:
      decodeReign(payload) // once it is chosen it is too late to refuse it
      break
    case valueKind.stop:
      decodeConfiguration(payload)
      break
    default:
      throw new MalformedBytes(`a value of kind ${kind}`)
  }
  return { origin, kind, payload, encoded: [bytes], size: bytes.length }
}

/** What an acceptor holds in a slot: the value, and the ballot in which it accepted it last. */
export interface Accepted {
  readonly ballot: Ballot
  readonly value: Value
}

/** The journal's bytes of one slot: `ballot`, then the value. @param ballot what `encodeBallot` gives. */
export const encodeAccepted = (ballot: Uint8Array, value: Value): Chunks => [ballot, ...value.encoded]

/** @throws MalformedBytes. */
export const decodeAccepted = (bytes: Uint8Array): Accepted => ({
  ballot: readBallot(new ByteReader(bytes)),
  value: decodeValue(bytes.subarray(ballotBytes)),
})
