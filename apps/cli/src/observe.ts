import {
  clientProtocol,
  decodeServerMessage,
  encodeClientMessage,
  type NodeStatus,
  protocolVersion,
} from '@conclave/client/protocol'
import { createHost, type FrameStream, generateIdentity, type Host } from '@conclave/transport-libp2p'
import { checkOneCluster } from './clusters.ts'
import { processesOf } from './local/supervise.ts'
import type { Target } from './target.ts'
import type { NodeView } from './view.ts'

/** How long a node has to answer before it is shown as unreachable. */
const answerMillis = 1500

const idOf = (endpoint: string): string => endpoint.slice(endpoint.lastIndexOf('/p2p/') + '/p2p/'.length)

/** One connection to one node, made when it is needed and again after it broke, that asks for nothing but status. */
class Probe {
  readonly #host: Host
  readonly #endpoint: string
  readonly #waiting = new Map<number, (json: string) => void>()
  #stream: FrameStream | undefined
  #next = 1

  constructor(host: Host, endpoint: string) {
    this.#host = host
    this.#endpoint = endpoint
  }

  async status(): Promise<NodeStatus | undefined> {
    const signal = AbortSignal.timeout(answerMillis)
    try {
      const stream = this.#stream?.open === true ? this.#stream : await this.#dial(signal)
      return JSON.parse(await this.#ask(stream, signal)) as NodeStatus
    } catch {
      this.#stream?.abort(new Error('no answer'))
      this.#stream = undefined
      return undefined
    }
  }

  async #dial(signal: AbortSignal): Promise<FrameStream> {
    const stream = await this.#host.dial({ addresses: [this.#endpoint] }, clientProtocol, signal)
    stream.start({
      messages: (messages) => {
        for (const bytes of messages) this.#receive(bytes, stream)
      },
      closed: () => {
        if (this.#stream === stream) this.#stream = undefined
      },
    })
    stream.send(encodeClientMessage({ type: 'hello', version: protocolVersion, features: 0, cluster: '' }))
    this.#stream = stream
    return stream
  }

  #receive(bytes: Uint8Array, stream: FrameStream): void {
    try {
      const message = decodeServerMessage(bytes)
      if (message.type === 'goodbye') stream.abort(new Error(`the node refuses: ${message.reason}`))
      if (message.type !== 'status') return
      this.#waiting.get(message.id)?.(message.json)
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #ask(stream: FrameStream, signal: AbortSignal): Promise<string> {
    const id = this.#next++
    return new Promise<string>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('no answer in time')), { once: true })
      this.#waiting.set(id, resolve)
      if (!stream.send(encodeClientMessage({ type: 'status', id }))) reject(new Error('the connection broke'))
    }).finally(() => this.#waiting.delete(id))
  }
}

/** Looks at the nodes of a cluster, again and again. */
export interface Observer {
  /** Every node, in a fixed order; one that does not answer within a moment is shown without status. */
  look(): Promise<NodeView[]>
  [Symbol.asyncDispose](): Promise<void>
}

export const observe = async (target: Target): Promise<Observer> => {
  const host = await createHost({ identity: await generateIdentity() })
  const probes = new Map<string, Probe>()
  const probe = (endpoint: string): Probe => {
    const known = probes.get(endpoint) ?? new Probe(host, endpoint)
    probes.set(endpoint, known)
    return known
  }
  return {
    look: async () => {
      if (target.local !== undefined) return lookLocal(target, probe)
      const named = await lookAtEndpoints(target.endpoints, probe)
      checkOneCluster(named)
      return sorted([...named, ...(await lookAtMembers(named, probe))])
    },
    [Symbol.asyncDispose]: () => host.close(),
  }
}

type Probing = (endpoint: string) => Probe

const lookLocal = async ({ local, endpoints }: Target, probe: Probing): Promise<NodeView[]> => {
  if (local === undefined) return []
  const own = await Promise.all(
    processesOf(local).map(async ({ node, state, record }, at) => {
      const address = endpoints[at] ?? ''
      const view = { name: node.name, id: node.id, address, state, ...(record && { pid: record.pid }) }
      const status = state === 'running' ? await probe(address).status() : undefined
      return status === undefined ? view : { ...view, status }
    }),
  )
  // Members that were added later are no processes of this directory.
  return [...own, ...sorted(await lookAtMembers(own, probe))]
}

const lookAtEndpoints = (endpoints: readonly string[], probe: Probing): Promise<NodeView[]> =>
  Promise.all(endpoints.map(async (address) => view(address, await probe(address).status())))

/** The members that these nodes tell of, themselves apart. */
const lookAtMembers = (views: readonly NodeView[], probe: Probing): Promise<NodeView[]> => {
  const seen = new Set(views.map(({ id }) => id))
  const more: { readonly name: string; readonly address: string }[] = []
  // The leader's word first: a node that was removed, or lags behind, tells of members of the past.
  const tellers = [...views].sort(
    (left, right) => Number(right.status?.leading === true) - Number(left.status?.leading === true),
  )
  const [teller] = tellers.filter(({ status }) => status !== undefined && status.phase !== 'removed')
  for (const { id, name, addresses } of teller?.status?.members ?? []) {
    const [address] = addresses
    if (seen.has(id) || address === undefined) continue
    seen.add(id)
    more.push({ name, address: address.includes('/p2p/') ? address : `${address}/p2p/${id}` })
  }
  return Promise.all(more.map(async ({ name, address }) => ({ ...view(address, await probe(address).status()), name })))
}

const sorted = (views: readonly NodeView[]): NodeView[] =>
  [...views].sort((left, right) => left.name.localeCompare(right.name, 'en', { numeric: true }))

const view = (address: string, status: NodeStatus | undefined): NodeView => {
  const id = idOf(address)
  if (status === undefined) return { name: id.slice(-8), id, address, state: 'unreachable' }
  return { name: status.name, id, address, state: 'running', status }
}
