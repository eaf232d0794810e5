import type { Writable } from 'node:stream'

const gone = new WeakSet<Writable>()
const watched = new WeakSet<Writable>()

/** Standard output forgets its error at once and never closes: who wants to know later has to listen. */
const watchErrors = (stream: Writable): void => {
  if (watched.has(stream)) return
  watched.add(stream)
  stream.on('error', () => gone.add(stream))
}

/**
 * Writes a line, and waits if the reader is slower than we are. False: the reader has gone (`| head`), and nobody wants more.
 */
export const printLine = async (line: string, stream: Writable = process.stdout): Promise<boolean> => {
  watchErrors(stream)
  const over = (): boolean => stream.destroyed || gone.has(stream)
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
