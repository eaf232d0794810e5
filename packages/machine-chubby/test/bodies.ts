import { copyBytes, type StateMachine } from '@conclave/interface'

/** The chunks of a snapshot. */
export const chunksOf = async (machine: StateMachine): Promise<readonly Uint8Array[]> => {
  const capture = machine.capture()
  const chunks: Uint8Array[] = []
  for await (const chunk of capture.body()) chunks.push(copyBytes(chunk))
  capture.release()
  return chunks
}

export const bodyOf = async (machine: StateMachine): Promise<Uint8Array> => Buffer.concat(await chunksOf(machine))

/** The bytes in pieces of `size`. */
export async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
