import { unlessAborted } from './abortable.ts'
import { type Client, type ClientInit, connect } from './client.ts'
import { parseEndpoint } from './dialer.ts'
import { Aborted, ClientClosed, InvalidEndpoint } from './errors.ts'
import type { Session, SessionOptions } from './locks/session.ts'

/** A client that need not reach the cluster to begin with. Close it, or `await using` it. */
export interface LazyClient extends AsyncDisposable {
  /** The client: connected by the first call that succeeds, the same one from then on. @throws as `connect`: try again. */
  client(): Promise<Client>
  /** As `Client.session`, once it is connected. @throws as `connect` as well; Aborted. */
  session(options?: SessionOptions): Promise<Session>
  /** Closes the client, if there is one; what waits fails. Safe to call twice. */
  close(): Promise<void>
}

/**
 * For what follows a service or stays registered, and has to begin although the cluster is away: `connect` would reject. Nothing is sent before it is first asked.
 * @throws InvalidEndpoint
 */
export const lazyClient = (init: Omit<ClientInit, 'signal'>): LazyClient => {
  const { endpoints = [], local } = init
  for (const endpoint of endpoints) parseEndpoint(endpoint)
  if (endpoints.length === 0 && local === undefined) throw new InvalidEndpoint('a client needs at least one endpoint')
  const closing = new AbortController()
  const { signal } = closing
  let connected: Promise<Client> | undefined
  const client = (): Promise<Client> => {
    if (signal.aborted) return Promise.reject(new ClientClosed(true))
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
    session: async (options) => {
      const { signal: given = new AbortController().signal } = options ?? {}
      // Who gives up does not wait for the connection, which others may still want.
      const present = await unlessAborted(client(), given)
      if (present === undefined) throw new Aborted(true, given.reason)
      return present.session(options)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}
