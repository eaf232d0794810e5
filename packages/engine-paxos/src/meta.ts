import { ByteReader, ByteWriter, MalformedBytes } from '@conclave/interface'
import { type Ballot, noBallot, readBallot, writeBallot } from './ballot.ts'

/** What the journal's one record holds. */
export interface Meta {
  readonly promised: Ballot
  /** A watermark: what is decided may have gone further. */
  readonly decided: number
  /** Pledges were made to leaders that serve reads under a lease. */
  readonly pledged: boolean
}

const metaVersion = 1

/** `version u8 = 1 · promised ballot · decided u53 · pledged u8`. */
export const encodeMeta = ({ promised, decided, pledged }: Meta): Uint8Array =>
  writeBallot(new ByteWriter().u8(metaVersion), promised)
    .u53(decided)
    .u8(pledged ? 1 : 0)
    .take()

export const decodeMeta = (bytes: Uint8Array | undefined): Meta => {
  if (bytes === undefined) return { promised: noBallot, decided: 0, pledged: false }
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  if (version !== metaVersion)
    throw new MalformedBytes(`the metadata of Paxos is of version ${version}; this build reads version ${metaVersion}`)
  const meta = { promised: readBallot(reader), decided: reader.u53(), pledged: reader.u8() !== 0 }
  reader.end()
  return meta
}
