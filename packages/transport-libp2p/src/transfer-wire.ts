/**
 * The messages of a snapshot stream, after the hello and its answer: `kind u8 · bytes`. The sender offers, waits for the answer, sends chunks and the
 * end; the receiver confirms when the body is staged, and says that it is still at it every two seconds until then. See docs/formats/transport.md.
 */
export const snapshotProtocol = '/conclave/snapshot/1'

export const kinds = {
  /** Sender: the bytes are the header. */
  offer: 1,
  /** Receiver: send the body. */
  accept: 2,
  /** Receiver: do not. The stream ends. */
  reject: 3,
  /** Sender: the bytes are the next part of the body. */
  chunk: 4,
  /** Sender: the body is complete. */
  end: 5,
  /** Receiver: the body is staged. The stream ends. */
  confirm: 6,
  /** Receiver: the body is still being staged. */
  staging: 7,
} as const

/** Bytes of a snapshot header. */
export const mostHeaderBytes = 64 * 1024
/** Between two `staging`. */
export const stagingMillis = 2000
/** For a receiver to stage a body that has arrived. */
export const mostStagingMillis = 300_000

export const kindOnly = (kind: number): Uint8Array => Uint8Array.of(kind)
