import { copyBytes } from '@conclave/interface'
import { type FileContents, limits } from '@conclave/machine-chubby'

export type WriteContents = string | Uint8Array

/** A file as it was read; the contents are the reader's own. */
export interface File extends FileContents {
  /** The contents as text. */
  readonly text: string
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const fileOf = (file: FileContents): File => {
  const contents = copyBytes(file.contents)
  return {
    ...file,
    contents,
    get text() {
      return decoder.decode(contents)
    },
  }
}

/** @throws RangeError if it is too long; TypeError if it is neither text nor bytes. */
export const contentsOf = (contents: WriteContents): Uint8Array => {
  const bytes = typeof contents === 'string' ? encoder.encode(contents) : contents
  if (!(bytes instanceof Uint8Array))
    throw new TypeError(`contents are a string or a Uint8Array, got ${typeof contents}`)
  if (bytes.length > limits.contentBytes)
    throw new RangeError(
      `a file has at most ${limits.contentBytes} bytes, got ${bytes.length}: keep larger things elsewhere`,
    )
  return bytes
}
