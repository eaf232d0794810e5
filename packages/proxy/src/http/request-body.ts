import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'

/** Bytes of a body that are held between client and instance, besides the buffers of both connections. */
const highWaterMark = 65_536

/** The body of a client's request for one attempt. Whoever destroys it does not destroy the client's connection with it. */
export class RequestBody extends Readable {
  readonly #req: IncomingMessage
  readonly #moved: (bytes: number) => void
  #begun = false
  #wanted = true

  /** @param moved called with the bytes of every chunk, and with 0 at the end. */
  constructor(req: IncomingMessage, moved: (bytes: number) => void) {
    super({ highWaterMark })
    this.#req = req
    this.#moved = moved
  }

  /** Whether any of it was taken: it cannot be sent to another instance then. */
  get consumed(): boolean {
    return this.#begun
  }

  /** Whoever takes this has enough: the client may send the rest, which the caller sees to. */
  letGo(): void {
    this.#wanted = false
    this.#req.off('data', this.#chunk).off('end', this.#end)
  }

  override _read(): void {
    if (!this.#wanted) return
    if (!this.#begun) {
      this.#begun = true
      this.#req.on('data', this.#chunk).on('end', this.#end)
    }
    this.#req.resume()
  }

  override _destroy(_error: Error | null, done: (error: Error | null) => void): void {
    this.#req.off('data', this.#chunk).off('end', this.#end)
    if (this.#begun && this.#wanted) this.#req.pause()
    done(null)
  }

  readonly #chunk = (chunk: Buffer): void => {
    this.#moved(chunk.length)
    if (!this.push(chunk)) this.#req.pause()
  }

  readonly #end = (): void => {
    this.#moved(0)
    this.push(null)
  }
}
