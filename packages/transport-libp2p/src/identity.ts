import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type NodeId, nodeId } from '@conclave/interface'
import { asError, IdentityUnfit } from './errors.ts'

/** An Ed25519 key pair: who a node or a client is. */
export interface Identity {
  /** The peer id of the public key, in base58. */
  readonly id: NodeId
  /** The private key as libp2p's protobuf. A secret. */
  readonly privateKey: Uint8Array
}

/** A private key file is about 70 bytes; nothing near this is one. */
const mostBytes = 4096

/** The id of an identity. */
export const identityId = (identity: Identity): NodeId => identity.id

/** @throws IdentityUnfit if `privateKey` is no Ed25519 private key in libp2p's protobuf. */
export const identityFromProtobuf = async (privateKey: Uint8Array): Promise<Identity> => {
  const [{ privateKeyFromProtobuf }, { peerIdFromPrivateKey }] = await Promise.all([
    import('@libp2p/crypto/keys'),
    import('@libp2p/peer-id'),
  ])
  try {
    const key = privateKeyFromProtobuf(privateKey)
    if (key.type !== 'Ed25519') throw new IdentityUnfit(`an Ed25519 key is needed, this is ${key.type}`)
    return { id: nodeId(peerIdFromPrivateKey(key).toString()), privateKey }
  } catch (thrown) {
    if (thrown instanceof IdentityUnfit) throw thrown
    throw new IdentityUnfit(`not a private key: ${asError(thrown).message}`)
  }
}

/** A new identity that is nowhere stored. */
export const generateIdentity = async (): Promise<Identity> => {
  const { generateKeyPair, privateKeyToProtobuf } = await import('@libp2p/crypto/keys')
  return identityFromProtobuf(privateKeyToProtobuf(await generateKeyPair('Ed25519')))
}

/**
 * The identity in `file`, which is made if it is not there: mode 0600, whole or not at all, and durable when this returns. Its directory must exist.
 * @throws IdentityUnfit if others may read the file, or if it holds no Ed25519 key.
 */
export const loadOrCreateIdentity = async (file: string): Promise<Identity> =>
  (await loadIdentity(file)) ?? (await createIdentity(file))

/** The identity in `file`; undefined if there is no such file. @throws IdentityUnfit as `loadOrCreateIdentity`. */
export const loadIdentity = async (file: string): Promise<Identity | undefined> => {
  let handle: FileHandle
  try {
    handle = await open(file, 'r')
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new IdentityUnfit(`the identity file ${file} cannot be read: ${asError(thrown).message}`)
  }
  try {
    const { mode, size } = await handle.stat()
    if ((mode & 0o077) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(4, '0')
      throw new IdentityUnfit(
        `the identity file ${file} has mode ${shown}: others could be this node. Run: chmod 600 ${file}`,
      )
    }
    if (size > mostBytes) throw new IdentityUnfit(`the identity file ${file} has ${size} bytes: it is no private key`)
    return await identityFromProtobuf(new Uint8Array(await handle.readFile())).catch((error: unknown) => {
      throw new IdentityUnfit(`the identity file ${file} is unfit: ${asError(error).message}`)
    })
  } finally {
    await handle.close()
  }
}

const createIdentity = async (file: string): Promise<Identity> => {
  const identity = await generateIdentity()
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`
  try {
    await writeSynced(temporary, identity.privateKey)
    await rename(temporary, file)
  } catch (thrown) {
    await unlink(temporary).catch(() => {})
    throw new IdentityUnfit(`the identity file ${file} cannot be written: ${asError(thrown).message}`)
  }
  const directory = await open(dirname(file), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
  return identity
}

const writeSynced = async (file: string, bytes: Uint8Array): Promise<void> => {
  const handle = await open(file, 'wx', 0o600)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
