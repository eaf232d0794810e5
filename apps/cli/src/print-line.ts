import type { Writable } from 'node:stream'

/**
 * Writes a line, and waits if the reader is slower than we are. False: the reader has gone (`| head`), and nobody wants more. Standard output tells of
 * that with an error; it need not close.
 */
export const printLine = async (line: string, stream: Writable = process.stdout): Promise<boolean> => {
  const over = (): boolean => stream.destroyed || stream.errored !== null
  if (over()) return false
  if (stream.write(`${line}\n`)) return true
  await new Promise<void>((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done).off('error', done)
      resolve()
    }
    stream.on('drain', done).on('close', done).on('error', done)
  })
  return !over()
}
