import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { setTimeout as sleep } from 'node:timers/promises'
import { lineCutter } from '../log-lines.ts'

/** Reads a log file from its tail on, and what is appended, also across its replacement. */
export class LogFollower {
  readonly #path: string
  readonly #cut: (text: string) => void
  #decoder = new StringDecoder('utf8')
  #at: number | undefined
  #inode: number | undefined

  /** @param from 0: the whole file; negative: so many bytes before its end; undefined: only what is appended from now on. */
  constructor(path: string, each: (line: string) => void, from: number | undefined) {
    this.#path = path
    this.#cut = lineCutter(each)
    this.#visit((file) => {
      const { size, ino } = fstatSync(file)
      this.#inode = ino
      this.#at = from === undefined ? size : Math.max(0, from < 0 ? size + from : from)
    })
  }

  /** Delivers the lines that were appended since the last call. */
  poll(): void {
    this.#visit((file) => {
      const { size, ino } = fstatSync(file)
      if (ino !== this.#inode || size < (this.#at ?? 0)) {
        this.#inode = ino
        this.#at = 0
        this.#decoder = new StringDecoder('utf8')
      }
      const buffer = Buffer.alloc(65_536)
      for (let read = readSync(file, buffer, 0, buffer.length, this.#at ?? 0); read > 0; ) {
        this.#at = (this.#at ?? 0) + read
        this.#cut(this.#decoder.write(buffer.subarray(0, read)))
        read = readSync(file, buffer, 0, buffer.length, this.#at)
      }
    })
  }

  #visit(look: (file: number) => void): void {
    let file: number
    try {
      file = openSync(this.#path, 'r')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw error
    }
    try {
      look(file)
    } finally {
      closeSync(file)
    }
  }
}

/** Polls every follower until the signal fires. */
export const followAll = async (followers: readonly LogFollower[], signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    for (const follower of followers) follower.poll()
    await sleep(100, undefined, { signal }).catch(() => {})
  }
}
