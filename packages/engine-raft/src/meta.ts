import { readNodeId } from '@conclave/engine-parts'
import { ByteReader, ByteWriter, MalformedBytes, type NodeId } from '@conclave/interface'
import { type Term, term } from './entry.ts'

/** What is in the journal's one atomic record. */
export interface Meta {
  readonly term: Term
  readonly vote: NodeId | undefined
  /** This server has promised a leader not to elect another for a while, now or at some time in the past. */
  readonly promised: boolean
}

/** Version 2 says that promises were made; without any, version 1 is written, which an earlier release can read. */
const plain = 1
const withPromises = 2

/** `version u8 = 1, or 2 with promises · term u53 · voted u8 · vote string, if voted`. */
export const encodeMeta = (metaTerm: Term, vote: NodeId | undefined, promised = false): Uint8Array => {
  const writer = new ByteWriter().u8(promised ? withPromises : plain).u53(metaTerm)
  return (vote === undefined ? writer.u8(0) : writer.u8(1).string(vote)).take()
}

/** @throws MalformedBytes. */
export const decodeMeta = (bytes: Uint8Array | undefined): Meta => {
  if (bytes === undefined) return { term: term(0), vote: undefined, promised: false }
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  if (version !== plain && version !== withPromises)
    throw new MalformedBytes(`Raft's metadata is of version ${version}; this build reads versions 1 and 2`)
  const metaTerm = term(reader.u53())
  const vote = reader.u8() === 0 ? undefined : readNodeId(reader)
  reader.end()
  return { term: metaTerm, vote, promised: version === withPromises }
}
