/**
 * A process beside `conclave lock`, in a session of its own. It kills the command's process group when conclave is gone, or does not say in time that the lock lasts on (it was stopped, or
 * hangs). On standard input, a line each: `group PID`, `until NANOSECONDS` of the machine's monotonic clock, and `done`.
 */
import { createInterface } from 'node:readline'

let group: number | undefined
let timer: NodeJS.Timeout | undefined

const kill = (): never => {
  try {
    if (group !== undefined) process.kill(-group, 'SIGKILL')
  } catch {
    // Nothing is left of it.
  }
  process.exit()
}

const read = (line: string): void => {
  const [word, value = ''] = line.split(' ')
  if (word === 'done') process.exit()
  if (word === 'group') group = Number(value)
  if (word !== 'until') return
  clearTimeout(timer)
  timer = setTimeout(kill, Math.max(0, Number(BigInt(value) - process.hrtime.bigint()) / 1e6))
}

// It ends with conclave, whatever a terminal sends to both.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
createInterface({ input: process.stdin }).on('line', read).on('close', kill)
