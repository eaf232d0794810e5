/**
 * Makes libp2p's own objects do less for each frame, without a change on the wire: a peer with stock libp2p does not notice. Everything here touches
 * what the pinned versions of libp2p do not promise, so each step looks first whether the object has the shape that it knows, and leaves it alone
 * if not: then it is slower, not wrong.
 */
import type { ConnectionEncrypter, MessageStream, Stream } from '@libp2p/interface'
import { type Cipher, nativeCipher, type Pieces } from './cipher.ts'

/** Below this, one copy and one `write` are cheaper than a `writev` of several pieces. */
const copyBytes = 64 * 1024

interface Socket {
  write(bytes: Uint8Array): boolean
  cork(): void
  uncork(): void
}
interface SocketStream {
  readonly socket: Socket
  sendData(data: Pieces): { sentBytes: number; canSendMore: boolean }
}
const isSocketStream = (stream: object): stream is SocketStream =>
  'sendData' in stream &&
  typeof stream.sendData === 'function' &&
  'socket' in stream &&
  typeof stream.socket === 'object' &&
  stream.socket !== null &&
  'cork' in stream.socket

/**
 * One system call, and one TCP segment, for what was encrypted at once. Stock: one `write` each for the length, the header, the body and the tag of
 * every Noise message, so that a small frame travels in four packets and wakes its receiver up to four times.
 */
export const writeAtOnce = (stream: MessageStream): void => {
  if (!isSocketStream(stream)) return
  const { socket } = stream
  stream.sendData = (data) => {
    const sentBytes = data.byteLength
    if (sentBytes <= copyBytes) return { sentBytes, canSendMore: socket.write(data.subarray()) }
    let canSendMore = true
    socket.cork()
    for (const piece of data) canSendMore = socket.write(piece)
    socket.uncork()
    return { sentBytes, canSendMore }
  }
}

interface NoiseStream {
  readonly decoder: { lengthDecoder: (bytes: Uint8Array | Pieces) => number }
}

const isNoiseStream = (stream: object): stream is NoiseStream =>
  'decoder' in stream &&
  typeof stream.decoder === 'object' &&
  stream.decoder !== null &&
  'lengthDecoder' in stream.decoder &&
  typeof stream.decoder.lengthDecoder === 'function'

/** What the decoder of lengths throws if there is no length yet: made once, since most of the price of an error is its stack. */
const noLengthYet = new RangeError('the length of a message has not come yet')

/** Noise reads lengths until one is missing, which it learns by an error: one for each chunk that the socket delivers. */
const readWithoutThrows = (stream: object): void => {
  if (!isNoiseStream(stream)) return
  const { decoder } = stream
  const stock = decoder.lengthDecoder
  decoder.lengthDecoder = (bytes) => {
    if (bytes.byteLength < 2) throw noLengthYet
    return stock(bytes)
  }
}

const hasCipher = (encrypter: object): encrypter is { readonly crypto: Cipher } =>
  'crypto' in encrypter &&
  typeof encrypter.crypto === 'object' &&
  encrypter.crypto !== null &&
  'encrypt' in encrypter.crypto &&
  'decrypt' in encrypter.crypto

/** Noise, with its cipher and its connections tuned. */
export const tuned =
  <Components, Extension>(encrypter: (components: Components) => ConnectionEncrypter<Extension>) =>
  (components: Components): ConnectionEncrypter<Extension> => {
    const inner = encrypter(components)
    if (hasCipher(inner)) Object.assign(inner.crypto, nativeCipher({ ...inner.crypto }))
    const [inbound, outbound] = [inner.secureInbound.bind(inner), inner.secureOutbound.bind(inner)]
    inner.secureInbound = async (connection, options) => {
      writeAtOnce(connection)
      const secured = await inbound(connection, options)
      readWithoutThrows(secured.connection)
      return secured
    }
    inner.secureOutbound = async (connection, options) => {
      writeAtOnce(connection)
      const secured = await outbound(connection, options)
      readWithoutThrows(secured.connection)
      return secured
    }
    return inner
  }

/** As yamux numbers its states. */
const established = 3
/** Bytes that a peer may send before we have taken any of them. */
export const windowBytes = 4 * 1024 * 1024

interface WindowedStream {
  state: number
  recvWindow: number
  recvWindowCapacity: number
  sendWindowUpdate(): void
}

const isWindowed = (stream: object): stream is WindowedStream =>
  'recvWindow' in stream &&
  typeof stream.recvWindow === 'number' &&
  'recvWindowCapacity' in stream &&
  'state' in stream &&
  'sendWindowUpdate' in stream &&
  typeof stream.sendWindowUpdate === 'function'

/**
 * Gives the peer more window when half of it is used up. Stock: after every frame, so that each frame is answered by one that is encrypted,
 * written and read like any other. The window begins with the 256 KiB of the specification and grows with the first update.
 */
export const updateWindowLazily = (stream: Stream): void => {
  if (!isWindowed(stream)) return
  const update = stream.sendWindowUpdate.bind(stream)
  stream.sendWindowUpdate = () => {
    if (stream.state === established && stream.recvWindowCapacity * 2 > stream.recvWindow) return
    if (stream.state === established && stream.recvWindow < windowBytes) stream.recvWindow = windowBytes
    update()
  }
}
