import { type ByteReader, ByteWriter, type Epoch, epoch, MalformedBytes } from '@conclave/interface'

/**
 * A ballot (Part-Time Parliament, section 2.2; "proposal number" in Paxos Made Simple): a round and the node that owns it, compared as a pair, so that
 * no two nodes ever share one. The node stands there as its **ordinal**, a small number that its configuration gives it for ever: founders count from
 * 1 in the order of their ids, whoever joins later gets the next number, and none is given twice. (Paxos Made Live numbers its replicas for the same reason.)
 */
export interface Ballot {
  /** From 1 up; 0 is "no ballot". */
  readonly round: number
  readonly ordinal: number
}

/** Below every ballot. */
export const noBallot: Ballot = { round: 0, ordinal: 0 }

/** So that an epoch fits into 64 bits: at a thousand elections a second the rounds last 34 years. */
export const mostRound = 2 ** 40 - 1
export const mostOrdinal = 2 ** 24 - 1

/** Negative if `a` is the lower one, 0 if they are the same. */
export const compareBallots = (a: Ballot, b: Ballot): number => a.round - b.round || a.ordinal - b.ordinal

export const sameBallot = (a: Ballot, b: Ballot): boolean => a.round === b.round && a.ordinal === b.ordinal

export const higherBallot = (a: Ballot, b: Ballot): Ballot => (compareBallots(a, b) >= 0 ? a : b)

/** What the outside sees of a ballot: 40 bits of round above 24 bits of ordinal, in a bigint. Ordered like ballots, and unique like them. */
export const epochOf = ({ round, ordinal }: Ballot): Epoch => epoch((BigInt(round) << 24n) | BigInt(ordinal))

export const ballotBytes = 12

/** `round u53 · ordinal u32`. */
export const writeBallot = (writer: ByteWriter, { round, ordinal }: Ballot): ByteWriter =>
  writer.u53(round).u32(ordinal)

export const encodeBallot = (ballot: Ballot): Uint8Array => writeBallot(new ByteWriter(ballotBytes), ballot).take()

/** @throws MalformedBytes if a part is out of its bounds. */
export const readBallot = (reader: ByteReader): Ballot => {
  const ballot = { round: reader.u53(), ordinal: reader.u32() }
  if (ballot.round > mostRound || ballot.ordinal > mostOrdinal)
    throw new MalformedBytes(`a ballot of round ${ballot.round} and ordinal ${ballot.ordinal}`)
  return ballot
}

/** For people: `3.1` is round 3 of the node with ordinal 1. */
export const showBallot = ({ round, ordinal }: Ballot): string => `${round}.${ordinal}`
