import { FileProblem } from '../locks/errors.ts'
import type { Handle } from '../locks/handle.ts'
import { resolvePath } from '../locks/names.ts'
import type { Session } from '../locks/session.ts'
import {
  checkedInstance,
  checkedInstanceId,
  checkedServiceName,
  type InstanceChange,
  type InstanceInit,
  type ServiceInstance,
} from './instance.ts'
import { encodeInstance, type InvalidInstance } from './instance-record.ts'
import { InstanceTable, type InstanceTableInit } from './instance-table.ts'
import { InstanceWatch } from './instance-watch.ts'

/** Where services are unless something else is said. */
export const defaultRegistryPath = '/ls/local/services'

/** @returns the path. @throws RangeError unless it can be that of a directory. */
export const checkedRegistryPath = (path: string): string => {
  // Which cell is the own one is known to a session only; any will do to see whether it is a path.
  resolvePath(path, 'local')
  return path
}

/** An instance that is registered. It is gone when its session is; `keepRegistered` stays longer than that. */
export interface Registration extends AsyncDisposable {
  readonly instance: ServiceInstance
  /** Says what is different now, such as its health. @throws RangeError, TypeError; FileProblem `no-handle` if somebody deregistered it; SessionLost. */
  update(change: InstanceChange): Promise<void>
  /** Safe to call twice, and when it is gone already. */
  deregister(): Promise<void>
}

export interface ListInstancesOptions {
  /** Only those that are healthy. */
  readonly passing?: boolean
  /** Told of each file among the instances that cannot be used: it is left out. */
  readonly onInvalid?: (invalid: InvalidInstance) => void
}

export interface WatchInstancesOptions extends ListInstancesOptions {
  /** Ends it. */
  readonly signal?: AbortSignal
}

export interface ServiceSummary {
  readonly service: string
  /** How many instances are registered, whatever their health. */
  readonly instances: number
}

/** Which instances of which service there are, as their own sessions keep them alive: each is an ephemeral file in the directory of its service. */
export class ServiceRegistry {
  readonly #session: Session
  readonly #path: string

  /** @param path a directory. Default `/ls/local/services`. @throws RangeError */
  constructor(session: Session, path: string = defaultRegistryPath) {
    this.#session = session
    this.#path = checkedRegistryPath(path)
  }

  #directory(service: string): string {
    return `${this.#path}/${checkedServiceName(service)}`
  }

  /** Registers an instance for as long as the session lives. @throws RangeError, TypeError; FileProblem `exists` if the service has one of this id; SessionLost. */
  async register(service: string, init: InstanceInit): Promise<Registration> {
    const instance = checkedInstance(init)
    const handle = await this.#session.open(`${this.#directory(service)}/${instance.id}`, {
      create: 'new',
      ephemeral: true,
      parents: true,
      contents: encodeInstance({ instance }),
    })
    return registration(instance, handle)
  }

  /** Ends the registration of an instance, whosever it is; `keepRegistered` does not make it again. @throws FileProblem `no-node` if there is none, `denied`; SessionLost. */
  async deregister(service: string, id: string): Promise<void> {
    await this.#session.remove(`${this.#directory(service)}/${checkedInstanceId(id)}`)
  }

  /** The services in byte order of their names, those that have no instance at present included. */
  async services(): Promise<readonly ServiceSummary[]> {
    try {
      const stats = await this.#session.list(this.#path)
      return stats
        .filter(({ kind }) => kind === 'directory')
        .map(({ path, size }) => ({ service: path.slice(path.lastIndexOf('/') + 1), instances: size }))
    } catch (error) {
      // Nobody has registered anything yet.
      if (error instanceof FileProblem && error.code === 'no-node') return []
      throw error
    }
  }

  /** The instances now, in the order of their ids. @throws RangeError, TypeError; SessionLost. */
  async list(service: string, options: ListInstancesOptions = {}): Promise<readonly ServiceInstance[]> {
    const table = new InstanceTable(this.#tableInit(service, options))
    try {
      await table.readAll()
    } catch (error) {
      // Nobody has registered for it yet.
      if (!(error instanceof FileProblem) || error.code !== 'no-node') throw error
    }
    return filtered(table.instances(), options)
  }

  /**
   * The instances now, and again whenever one comes, goes or changes, until the loop is left. What changes while the reader is busy comes as one change.
   * @throws RangeError, TypeError; SessionLost: `followService` goes on.
   */
  async *watch(service: string, options: WatchInstancesOptions = {}): AsyncGenerator<readonly ServiceInstance[], void> {
    const { signal } = options
    const watch = new InstanceWatch(this.#tableInit(service, options))
    const close = (): void => watch.close()
    signal?.addEventListener('abort', close, { once: true })
    if (signal?.aborted === true) close()
    try {
      for (let last: string | undefined; ; ) {
        const instances = await watch.next()
        if (instances === undefined) return
        const wanted = filtered(instances, options)
        const text = JSON.stringify(wanted)
        if (text === last) continue
        last = text
        yield wanted
      }
    } finally {
      signal?.removeEventListener('abort', close)
      close()
    }
  }

  #tableInit(service: string, { onInvalid }: ListInstancesOptions): InstanceTableInit {
    return {
      session: this.#session,
      directory: this.#directory(service),
      invalid: (id, reason) => onInvalid?.({ service, id, reason }),
    }
  }
}

const filtered = (
  instances: readonly ServiceInstance[],
  { passing = false }: ListInstancesOptions,
): readonly ServiceInstance[] => (passing ? instances.filter(({ health }) => health === 'passing') : instances)

const registration = (first: ServiceInstance, handle: Handle): Registration => {
  let present = first
  let writing: Promise<unknown> = Promise.resolve()
  const deregister = (): Promise<void> => handle.close()
  return {
    get instance() {
      return present
    },
    update: (change) => {
      const next = checkedInstance({ ...present, ...change, id: present.id })
      present = next
      // One after the other: the last one counts.
      const written = writing.then(() => handle.write(encodeInstance({ instance: next })))
      writing = written.catch(() => {})
      return written.then(() => {})
    },
    deregister,
    [Symbol.asyncDispose]: deregister,
  }
}
