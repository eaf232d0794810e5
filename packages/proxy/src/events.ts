import type { InstanceState } from './instance.ts'

/** An instance as it is shown to people and programs. */
export interface InstanceView {
  readonly id: string
  readonly address: string
  readonly state: InstanceState
  /** Requests or connections under way. */
  readonly active: number
  readonly weight: number
}

/**
 * What a proxy tells of. `down`: it gets nothing new, as its checks fail or it takes no connections; `up`: it does again. `trouble`: the source of instances failed,
 * or named one that cannot be; the last list stands.
 */
export interface ProxyEvents {
  joined: (instance: InstanceView) => void
  left: (instance: InstanceView) => void
  down: (instance: InstanceView, why: string) => void
  up: (instance: InstanceView) => void
  trouble: (error: Error) => void
}

export class Listeners {
  readonly #listeners: { readonly [Event in keyof ProxyEvents]: Set<ProxyEvents[Event]> } = {
    joined: new Set(),
    left: new Set(),
    down: new Set(),
    up: new Set(),
    trouble: new Set(),
  }

  /** @returns what removes the listener. */
  on<Event extends keyof ProxyEvents>(event: Event, listener: ProxyEvents[Event]): () => void {
    const listeners = this.#listeners[event] as Set<ProxyEvents[Event]>
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  tell<Event extends keyof ProxyEvents>(event: Event, ...news: Parameters<ProxyEvents[Event]>): void {
    for (const listener of this.#listeners[event] as Set<(...told: Parameters<ProxyEvents[Event]>) => void>) {
      // On its own: what a listener throws must not hurt the proxy.
      queueMicrotask(() => listener(...news))
    }
  }
}
