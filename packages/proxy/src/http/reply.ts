import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'

/** Seconds after which a client that was refused for lack of room is told to come back. */
const retryAfter = '1'

const fieldsOf = (status: number, text: string): string[] => [
  'content-type',
  'text/plain; charset=utf-8',
  'content-length',
  String(Buffer.byteLength(text)),
  ...(status === 503 ? ['retry-after', retryAfter] : []),
]

/** A short response of the proxy's own. @param end false: the caller ends it. */
export const reply = (res: ServerResponse, status: number, why: string, end = true): void => {
  const text = `${why}\n`
  res.writeHead(status, fieldsOf(status, text))
  res.write(text)
  if (end) res.end()
}

/** Milliseconds for which a client may take to read why it was refused. */
const readMillis = 1_000

/** The same where there is no request that could be answered, and the end of the connection. */
export const replyRaw = (socket: Duplex, status: number, why: string): void => {
  const text = `${why}\n`
  const fields = [...fieldsOf(status, text), 'connection', 'close']
  const lines = fields.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${fields[at + 1]}\r\n`] : []))
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${text}`)
  // A client that does not go away by itself.
  setTimeout(() => socket.destroy(), readMillis).unref()
}
