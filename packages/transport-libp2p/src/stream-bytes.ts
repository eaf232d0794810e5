import type { Connection, Stream } from '@libp2p/interface'
import { LinkFailed } from './errors.ts'
import type { ByteStream } from './frame-stream.ts'

/** How long a connection may take to close before it is reset. */
const closeMillis = 500

/**
 * A libp2p stream as a `ByteStream`. A stream has its connection to itself: closing or resetting the one does the same to the other,
 * so that no stream waits behind the bytes of another.
 */
export const streamBytes = (stream: Stream, connection: Connection): ByteStream => {
  const alone = (): boolean => connection.streams.every((other) => other === stream || other.status !== 'open')
  const abort = (error: Error): void => {
    for (const end of alone() ? [stream, connection] : [stream]) {
      try {
        end.abort(error)
      } catch {
        // It tried to say goodbye on a connection that is gone: that is what was wanted.
      }
    }
  }
  let closing = false
  let pausing = false
  let resuming = false
  /** What was sent is delivered first; a connection that does not close in time is reset. */
  const closeConnection = async (): Promise<void> => {
    closing = true
    try {
      await stream.close({ signal: AbortSignal.timeout(closeMillis) })
      if (alone()) await connection.close({ signal: AbortSignal.timeout(closeMillis) })
    } catch {
      abort(new LinkFailed('the link did not close in time'))
    }
  }
  return {
    send: (bytes) => stream.send(bytes),
    listen({ bytes, drain, ended, closed }) {
      stream.addEventListener('message', ({ data }) => {
        if (data instanceof Uint8Array) bytes(data)
        else for (const chunk of data) bytes(chunk)
      })
      stream.addEventListener('drain', drain)
      stream.addEventListener('end', () => {
        if (stream.status === 'open') ended()
      })
      const close = (error?: Error): void => {
        closed(error)
        if (error !== undefined) abort(error)
        // Not twice: an abort in the midst of a close makes libp2p wait for an event that has passed.
        else if (!closing) void closeConnection()
      }
      // It may have ended before anybody listened; what had come until then is delivered first.
      if (stream.status !== 'open')
        setImmediate(() => close(new LinkFailed(`the stream was ${stream.status} before it was used`)))
      else
        stream.addEventListener('close', ({ error }) =>
          close(error === undefined ? undefined : new LinkFailed(`the link was reset: ${error.message}`)),
        )
    },
    pause() {
      pausing = true
      if (!resuming && stream.status === 'open') stream.pause()
    },
    resume() {
      pausing = false
      if (stream.status !== 'open') return
      // What was held is delivered within this call. Should the user pause again on it, yamux must hear of that after it was told to go on.
      resuming = true
      stream.resume()
      resuming = false
      if (pausing && isOpen(stream)) stream.pause()
    },
    close: closeConnection,
    abort,
  }
}

/** Asked anew: a stream may end within any call. */
const isOpen = (stream: Stream): boolean => stream.status === 'open'
