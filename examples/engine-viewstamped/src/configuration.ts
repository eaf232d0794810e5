import {
  ByteReader,
  ByteWriter,
  MalformedBytes,
  type Member,
  type Membership,
  type NodeId,
  nodeId,
} from '@conclave/interface'
import { type Quorum, quorumOf, votersOf } from '@conclave/quorum'
import { type View, view } from './entry.ts'

/**
 * The replicas (section 4): "a sorted array". It never changes, see DIVERGENCE.md. The sorting makes everybody name the same primary; it compares
 * code units, not the language of some machine.
 */
export class Configuration {
  readonly membership: Membership
  readonly quorum: Quorum
  readonly #replicas: readonly NodeId[]

  constructor(membership: Membership) {
    this.membership = membership
    this.quorum = quorumOf(membership)
    this.#replicas = votersOf(this.quorum).toSorted((a, b) => (a < b ? -1 : 1))
  }

  /** "The primary is chosen round-robin" by the view-number. Undefined if there are no replicas. */
  primaryOf(of: View): NodeId | undefined {
    return this.#replicas[of % this.#replicas.length]
  }

  has(id: NodeId): boolean {
    return this.#replicas.includes(id)
  }

  others(self: NodeId): readonly NodeId[] {
    return this.#replicas.filter((id) => id !== self)
  }
}

/** The journal's one atomic record. */
export interface Meta {
  /** view-number. */
  readonly view: View
  /** The latest view in which the status was normal. */
  readonly lastNormal: View
  readonly membership: Membership
}

const metaVersion = 1
const most = { members: 1_000, addresses: 1_000, text: 1_024 }

/** `version u8 = 1 · view u53 · lastNormal u53 · count u16 · count × (id · name · role u8 · count u16 · addresses)`. */
export const encodeMeta = ({ view: of, lastNormal, membership }: Meta): Uint8Array => {
  const writer = new ByteWriter(256).u8(metaVersion).u53(of).u53(lastNormal).u16(membership.members.length)
  for (const { id, name, role, addresses } of membership.members) {
    writer
      .string(id)
      .string(name)
      .u8(role === 'voter' ? 1 : 2)
      .u16(addresses.length)
    for (const address of addresses) writer.string(address)
  }
  return writer.take()
}

/** @throws MalformedBytes. */
export const decodeMeta = (bytes: Uint8Array): Meta => {
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  if (version !== metaVersion)
    throw new MalformedBytes(`metadata of version ${version}; this build reads version ${metaVersion}`)
  const [of, lastNormal] = [view(reader.u53()), view(reader.u53())]
  if (lastNormal > of) throw new MalformedBytes(`view ${of}, last normal in ${lastNormal}`)
  const members = Array.from({ length: atMost(reader.u16(), most.members) }, () => decodeMember(reader))
  reader.end()
  return { view: of, lastNormal, membership: { members } }
}

const decodeMember = (reader: ByteReader): Member => {
  const [id, name, role] = [reader.string(128), reader.string(most.text), reader.u8()]
  if (id.length === 0 || role < 1 || role > 2) throw new MalformedBytes(`a member "${id}" with role ${role}`)
  const addresses = Array.from({ length: atMost(reader.u16(), most.addresses) }, () => reader.string(most.text))
  return { id: nodeId(id), name, addresses, role: role === 1 ? 'voter' : 'learner' }
}

const atMost = (count: number, bound: number): number => {
  if (count > bound) throw new MalformedBytes(`a count of ${count}, at most ${bound} make sense`)
  return count
}
