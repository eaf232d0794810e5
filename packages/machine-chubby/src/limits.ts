/** Bounds of the lock service. Part of the replicated state's rules: the same on every replica. */
export const limits = {
  /** Bytes of a whole path, and of one component of it. */
  pathBytes: 1024,
  componentBytes: 255,
  /** Bytes of a file: it is read and written whole (section 2.2 of the Chubby paper). */
  contentBytes: 256 * 1024,
  /** Bytes of all files together. */
  cellBytes: 256 * 1024 * 1024,
  /** Sessions at most; one more is refused. */
  sessions: 65_536,
  /** Handles that one session may hold. */
  handlesPerSession: 4096,
  /** Handles of all sessions together. */
  handles: 1_000_000,
  /** A fencing token is raised to this at most: what is left of a u64 is never used up by grants. */
  token: 2n ** 63n,
  /** Nodes of the name space. */
  nodes: 1_000_000,
  /** Lease of a session in milliseconds: what a client may ask for. */
  leaseMillis: { least: 500, default: 12_000, most: 60_000 },
  /** Lock-delay in milliseconds at most (section 2.4). */
  lockDelayMillis: 60_000,
  /** Bytes of a principal, and of the name of an access control list. */
  principalBytes: 128,
  aclNameBytes: 64,
  /** Entries of one page of a listing, and holders and waiters of one lock in it. */
  page: 1000,
  /** Bytes of a page: below what a node sends as one answer (docs/formats/client.md). */
  pageBytes: 1024 * 1024,
} as const
