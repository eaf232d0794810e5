import type { NodeId } from '@conclave/interface'
import { ClientConnection } from './connection.ts'
import type { Served, ServedChannel } from './served.ts'

/** Clients that one node serves at once; a further one is told `overloaded`. */
export const maxClients = 4096

/** The server side of `/conclave/client/1`: every client's connection to this node. */
export class ClientService {
  readonly #served: Served
  readonly #self: NodeId
  readonly #cluster: string
  readonly #connections = new Set<ClientConnection>()
  #open = true

  constructor(served: Served, self: NodeId, cluster: string) {
    this.#served = served
    this.#self = self
    this.#cluster = cluster
  }

  /** Clients at present. */
  get clients(): number {
    return this.#connections.size
  }

  /** Serves a new channel until it closes. */
  accept(channel: ServedChannel): void {
    const connection: ClientConnection = new ClientConnection({
      channel,
      served: this.#served,
      self: this.#self,
      cluster: this.#cluster,
      closed: () => this.#connections.delete(connection),
    })
    if (!this.#open) return connection.close('closing')
    if (this.#connections.size >= maxClients) return connection.close('overloaded')
    this.#connections.add(connection)
  }

  /** The node learned of another leader, or of none. */
  leaderChanged(): void {
    for (const connection of this.#connections) connection.tellLeader()
  }

  /** The members are others. */
  membersChanged(): void {
    for (const connection of this.#connections) connection.tellMembers()
  }

  /** Something was applied: feeds may have news. */
  applied(): void {
    for (const connection of this.#connections) connection.pump()
  }

  /** Says goodbye to everyone. */
  close(): void {
    this.#open = false
    for (const connection of this.#connections) connection.close('closing')
    this.#connections.clear()
  }
}
