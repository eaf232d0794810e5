import { type Client, type ClientInit, connect } from './client.ts'
import { ClientClosed } from './errors.ts'
import type { Session, SessionOptions } from './locks/session.ts'

/** A client that need not reach the cluster to begin with. Close it, or `await using` it. */
export interface LazyClient extends AsyncDisposable {
  /** The client: connected by the first call that succeeds, the same one from then on. @throws as `connect`: try again. */
  client(): Promise<Client>
  /** As `Client.session`, once it is connected. @throws as `connect` as well. */
  session(options?: SessionOptions): Promise<Session>
  /** Closes the client, if there is one; what waits fails. Safe to call twice. */
  close(): Promise<void>
}

/** For what follows a service or stays registered, and has to begin although the cluster is away: `connect` would reject. Nothing is sent before it is first asked. */
export const lazyClient = (init: ClientInit): LazyClient => {
  const closing = new AbortController()
  const signal = init.signal === undefined ? closing.signal : AbortSignal.any([init.signal, closing.signal])
  let connected: Promise<Client> | undefined
  const client = (): Promise<Client> => {
    if (closing.signal.aborted) return Promise.reject(new ClientClosed(true))
    if (connected !== undefined) return connected
    const attempt = connect({ ...init, signal })
    connected = attempt
    attempt.catch(() => {
      connected = undefined
    })
    return attempt
  }
  const close = async (): Promise<void> => {
    const present = connected
    closing.abort(new ClientClosed(true))
    await present?.then(
      (each) => each.close(),
      // It was never connected.
      () => {},
    )
  }
  return {
    client,
    session: async (options) => (await client()).session(options),
    close,
    [Symbol.asyncDispose]: close,
  }
}
