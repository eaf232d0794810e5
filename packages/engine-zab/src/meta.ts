import { readNodeId } from '@conclave/engine-parts'
import { assert, ByteReader, ByteWriter, MalformedBytes, type NodeId } from '@conclave/interface'
import { type ZabEpoch, zabEpoch } from './zxid.ts'

/** What the journal's one record holds (DSN 2011: the two epochs that a process keeps). */
export interface Meta {
  /** Of the last NEWEPOCH that was acknowledged: no earlier leader is followed any more. */
  readonly acceptedEpoch: ZabEpoch
  /** Whose NEWEPOCH that was. */
  readonly acceptedFrom: NodeId | undefined
  /** Of the last NEWLEADER that was acknowledged: the history is that leader's initial one, and what followed. */
  readonly currentEpoch: ZabEpoch
  /** Pledges were made to leaders that serve reads under a lease. */
  readonly pledged: boolean
}

const metaVersion = 1

/** `version u8 = 1 · acceptedEpoch u53 · acceptedFrom string, empty for none · currentEpoch u53 · pledged u8`. */
export const encodeMeta = ({ acceptedEpoch, acceptedFrom, currentEpoch, pledged }: Meta): Uint8Array =>
  new ByteWriter()
    .u8(metaVersion)
    .u53(acceptedEpoch)
    .string(acceptedFrom ?? '')
    .u53(currentEpoch)
    .u8(pledged ? 1 : 0)
    .take()

/** @throws MalformedBytes. */
export const decodeMeta = (bytes: Uint8Array | undefined): Meta => {
  if (bytes === undefined)
    return { acceptedEpoch: zabEpoch(0), acceptedFrom: undefined, currentEpoch: zabEpoch(0), pledged: false }
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  if (version !== metaVersion)
    throw new MalformedBytes(`the metadata of Zab is of version ${version}; this build reads version ${metaVersion}`)
  const acceptedEpoch = zabEpoch(reader.u53())
  const acceptedFrom = acceptedEpoch === 0 ? readNobody(reader) : readNodeId(reader)
  const currentEpoch = zabEpoch(reader.u53())
  const pledged = reader.u8() !== 0
  reader.end()
  assert(currentEpoch <= acceptedEpoch, `epoch ${currentEpoch} is followed, but only ${acceptedEpoch} was accepted`)
  return { acceptedEpoch, acceptedFrom, currentEpoch, pledged }
}

const readNobody = (reader: ByteReader): undefined => {
  reader.string(0)
  return undefined
}
