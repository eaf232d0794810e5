import type { RetryReason } from './metrics.ts'

interface Ended {
  /** When it began: milliseconds since 1970. */
  readonly time: number
  /** The client's address. */
  readonly client: string
  /** Milliseconds until it had ended. */
  readonly duration: number
  /** Bytes of bodies, or of the connection, from and to the client. */
  readonly received: number
  readonly sent: number
  /** The id of the instance, of the last one if several were tried. */
  readonly instance?: string
  /** How many instances were tried. */
  readonly tries: number
  /** Why there was more than one try, the last time. */
  readonly retried?: RetryReason
  /** What went wrong. */
  readonly error?: string
}

/** A request that ended. */
export interface HttpAccessEntry extends Ended {
  readonly mode: 'http'
  readonly method: string
  /** As the client sent it. */
  readonly target: string
  readonly host?: string
  readonly userAgent?: string
  /** 0: there was no response, as the client was gone. */
  readonly status: number
  /** Milliseconds to the header section of the response; left out if there was none. */
  readonly latency?: number
  /** Whether the connection became a tunnel. */
  readonly upgraded: boolean
}

/** A connection through a TCP proxy that ended. */
export interface TcpAccessEntry extends Ended {
  readonly mode: 'tcp'
}

export type AccessEntry = HttpAccessEntry | TcpAccessEntry
