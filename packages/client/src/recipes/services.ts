import type { Handle } from '../locks/handle.ts'
import type { Session } from '../locks/session.ts'

export interface ServiceInstance {
  /** `HOST:PORT`. */
  readonly address: string
  /** Relative to others. Default 1. */
  readonly weight?: number
  readonly tags?: readonly string[]
  /** What whoever checks it found last. Default `passing`. */
  readonly health?: 'passing' | 'failing'
}

/** An instance that is registered. It is gone when its session is. */
export interface Registration extends AsyncDisposable {
  readonly id: string
  /** Says what its health is now, or anything else. */
  update(instance: ServiceInstance): Promise<void>
  deregister(): Promise<void>
}

/** Which instances of which service there are, as their own sessions keep them alive. */
export class ServiceRegistry {
  readonly #session: Session
  readonly #path: string

  /** @param path a directory. Default `/ls/local/services`. */
  constructor(session: Session, path = '/ls/local/services') {
    this.#session = session
    this.#path = path
  }

  /** @throws RangeError; FileProblem `exists` if this address is registered for this service. */
  async register(service: string, instance: ServiceInstance): Promise<Registration> {
    const id = instance.address.replaceAll('/', '_')
    const handle = await this.#session.open(`${this.#path}/${service}/${id}`, {
      create: 'new',
      ephemeral: true,
      parents: true,
      contents: JSON.stringify(checked(instance)),
    })
    return registration(id, handle)
  }

  /** The instances now. @param options.passing only those that are healthy. */
  async list(service: string, options: { readonly passing?: boolean } = {}): Promise<readonly ServiceInstance[]> {
    const directory = `${this.#path}/${service}`
    if ((await this.#session.stat(directory)) === undefined) return []
    const found: ServiceInstance[] = []
    for (const { path } of await this.#session.list(directory)) {
      const instance = parsed((await this.#session.read(path))?.text)
      if (instance !== undefined && (options.passing !== true || instance.health !== 'failing')) found.push(instance)
    }
    return found
  }

  /** The instances now, and again whenever one comes, goes or changes, until the loop is left. */
  async *watch(
    service: string,
    options: { readonly passing?: boolean } = {},
  ): AsyncGenerator<readonly ServiceInstance[], void> {
    const directory = `${this.#path}/${service}`
    await this.#session.mkdir(directory)
    await using handle = await this.#session.open(directory, { access: { write: false }, events: ['children'] })
    const events = handle.events()
    yield await this.list(service, options)
    for await (const event of events) if (event.type !== 'deleted') yield await this.list(service, options)
  }
}

const registration = (id: string, handle: Handle): Registration => {
  const deregister = (): Promise<void> => handle.close()
  return {
    id,
    update: async (instance) => void (await handle.write(JSON.stringify(checked(instance)))),
    deregister,
    [Symbol.asyncDispose]: deregister,
  }
}

const checked = (instance: ServiceInstance): ServiceInstance => {
  const { address, weight = 1 } = instance
  if (!/^.+:\d{1,5}$/.test(address)) throw new RangeError(`an address is HOST:PORT, got ${JSON.stringify(address)}`)
  if (!(weight > 0 && Number.isFinite(weight))) throw new RangeError(`a weight is above 0, got ${weight}`)
  return instance
}

const parsed = (text: string | undefined): ServiceInstance | undefined => {
  try {
    const value: unknown = JSON.parse(text ?? '')
    return typeof value === 'object' && value !== null && 'address' in value ? (value as ServiceInstance) : undefined
  } catch {
    return undefined
  }
}
