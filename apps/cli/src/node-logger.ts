import { Writable } from 'node:stream'
import type { Logger } from '@conclave/interface'
import { pino } from 'pino'
import { color } from './base-command.ts'
import { lineCutter, renderLogLine } from './log-lines.ts'

/** Characters of log kept while they cannot be written; what comes beyond is dropped. */
const maxWaiting = 1024 * 1024

/** Logs to standard output: JSON lines for files and programs, lines for people on a terminal. Written at once, so that a crash loses none. */
export const nodeLogger = (level: 'debug' | 'info' | 'warn' | 'error' | 'silent', forPeople: boolean): Logger => {
  const options = { level, base: null }
  if (!forPeople) {
    const file = pino.destination({ fd: 1, sync: true, maxLength: maxWaiting })
    // A log that cannot be written, because the disk is full or its reader has gone, must not end the node.
    file.on('error', () => {})
    return pino(options, file)
  }
  const cut = lineCutter((line) => process.stdout.write(`${renderLogLine(line, color)}\n`))
  const lines = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      cut(chunk.toString())
      done()
    },
  })
  return pino(options, lines)
}
