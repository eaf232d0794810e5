import type { IncomingTransfer, NodeId, Transport, TransportHandler } from '@conclave/interface'
import { Signal, within } from '../patience.ts'
import type { TransportMember, TransportNetwork, TransportSubject } from './subject.ts'

/** A member that writes down what its transport tells it. */
export class Witness implements TransportHandler {
  readonly signal = new Signal()
  readonly got: { readonly from: NodeId; readonly message: Uint8Array }[] = []
  readonly links: string[] = []
  onMessage: ((message: Uint8Array) => void) | undefined
  onOffer: (transfer: IncomingTransfer, from: NodeId) => void = (transfer) => transfer.reject()

  receive(from: NodeId, message: Uint8Array): void {
    this.got.push({ from, message })
    this.onMessage?.(message)
    this.signal.check()
  }

  peer(id: NodeId, state: 'up' | 'down' | 'lost'): void {
    this.links.push(`${id} ${state}`)
    this.signal.check()
  }

  offered(from: NodeId, transfer: IncomingTransfer): void {
    this.onOffer(transfer, from)
  }

  count(id: NodeId, state: 'up' | 'down' | 'lost'): number {
    return this.links.filter((line) => line === `${id} ${state}`).length
  }

  saw(id: NodeId, state: 'up' | 'down' | 'lost', times = 1): Promise<void> {
    return this.signal.until(
      `${state} number ${times} of ${id} (told: ${this.links.join(', ')})`,
      () => this.count(id, state) >= times,
    )
  }

  /** Bytes of every message so far. */
  get bytes(): number {
    return this.got.reduce((sum, { message }) => sum + message.length, 0)
  }

  has(messages: number): Promise<void> {
    return this.signal.until(`message number ${messages}`, () => this.got.length >= messages)
  }
}

/** A member of a test's network, started. */
export interface Started extends TransportMember {
  readonly name: string
  readonly id: NodeId
  readonly witness: Witness
}

/** One test's network, and everybody on it. */
export class Town implements AsyncDisposable {
  readonly network: TransportNetwork
  readonly #transports = new Set<Transport>()

  constructor(network: TransportNetwork) {
    this.network = network
  }

  static async of(subject: TransportSubject): Promise<Town> {
    return new Town(await subject.network())
  }

  async member(name: string): Promise<Started> {
    const member = await this.network.member(name)
    const witness = new Witness()
    this.#transports.add(member.transport)
    await within('start', member.transport.start(witness))
    return { name, id: member.transport.self, transport: member.transport, peer: () => member.peer(), witness }
  }

  /** Two members with links to each other. */
  async pair(): Promise<readonly [Started, Started]> {
    const pair = [await this.member('a'), await this.member('b')] as const
    await acquaint(...pair)
    return pair
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await within('close', Promise.all([...this.#transports].map((transport) => transport.close())))
    await this.network.dispose?.()
  }
}

export const acquaint = async (one: Started, other: Started): Promise<void> => {
  one.transport.setPeers([other.peer()])
  other.transport.setPeers([one.peer()])
  await Promise.all([one.witness.saw(other.id, 'up'), other.witness.saw(one.id, 'up')])
}
