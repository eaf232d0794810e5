import { Writable } from 'node:stream'
import type { Logger } from '@conclave/interface'
import { pino } from 'pino'
import { color } from './base-command.ts'
import { lineCutter, renderLogLine } from './log-lines.ts'

/** Logs to standard output: JSON lines for files and programs, lines for people on a terminal. Written at once, so that a crash loses none. */
export const nodeLogger = (level: 'debug' | 'info' | 'warn' | 'error' | 'silent', forPeople: boolean): Logger => {
  const options = { level, base: null }
  if (!forPeople) return pino(options, pino.destination({ fd: 1, sync: true }))
  const cut = lineCutter((line) => process.stdout.write(`${renderLogLine(line, color)}\n`))
  const lines = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      cut(chunk.toString())
      done()
    },
  })
  return pino(options, lines)
}
