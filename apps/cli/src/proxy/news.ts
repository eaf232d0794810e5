import type { AddressInfo } from 'node:net'
import type { ServiceList } from '@conclave/client/recipes'
import type { AccessEntry, ConclaveProxy, InstanceView } from '@conclave/proxy'
import { color } from '../base-command.ts'

/** Bytes of lines that wait for a slow reader; access lines beyond are counted, and left out. */
const maxWaiting = 1024 * 1024

const placeOf = ({ address, family, port }: AddressInfo): string =>
  family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Tells what a proxy does: lines for people, or a JSON object each. */
export class ProxyNews {
  readonly #json: boolean
  readonly #stream: NodeJS.WriteStream
  #stale = false
  #leftOut = 0

  constructor(json: boolean, stream: NodeJS.WriteStream) {
    this.#json = json
    this.#stream = stream
    // A reader that has gone must not end the proxy.
    stream.on('error', () => {})
  }

  watch(proxy: ConclaveProxy, mode: string): void {
    const { address, adminAddress } = proxy
    const [at, metrics] = [placeOf(address), adminAddress === undefined ? undefined : placeOf(adminAddress)]
    this.#say('32', 'listening', `for ${mode} on ${at}${metrics === undefined ? '' : `, metrics on ${metrics}`}`, {
      mode,
      address: at,
      ...(metrics === undefined ? {} : { metrics }),
    })
    const joined = ({ id, address }: InstanceView): void =>
      this.#say('32', 'joined', nameOf(id, address), { id, address })
    for (const instance of proxy.instances) joined(instance)
    proxy.on('joined', joined)
    proxy.on('left', ({ id, address, active }) => {
      const rest = active === 0 ? '' : `, ${active} under way`
      this.#say('33', 'left', nameOf(id, address) + rest, { id, address, active })
    })
    proxy.on('down', ({ id, address, state }, why) =>
      this.#say('31', 'down', `${nameOf(id, address)}: ${why}`, { id, address, state, reason: why }),
    )
    proxy.on('up', ({ id, address }) => this.#say('32', 'up', nameOf(id, address), { id, address }))
    proxy.on('trouble', (error) => this.trouble(error))
  }

  list(list: ServiceList): void {
    if (list.stale && !this.#stale) {
      const since = new Date(list.since).toISOString()
      this.#say('33', 'stale', `since ${since}, the list stands: ${list.reason}`, { since, reason: list.reason })
    }
    if (!list.stale && this.#stale) this.#say('32', 'current', 'the list is current again')
    this.#stale = list.stale
  }

  trouble(error: unknown): void {
    this.#say('33', 'trouble', textOf(error), { reason: textOf(error) })
  }

  draining(active: number, drain: string): void {
    this.#say('33', 'draining', `${active} under way, at most ${drain}; a second signal cuts`, { active })
  }

  closed(): void {
    this.#say('32', 'closed', '')
  }

  access(entry: AccessEntry): void {
    if (this.#stream.writableLength > maxWaiting) {
      this.#leftOut++
      return
    }
    if (this.#leftOut > 0) {
      const count = this.#leftOut
      this.#leftOut = 0
      this.#say('33', 'left-out', `${count} lines, as nobody read them in time`, { count })
    }
    if (this.#json) this.#write(JSON.stringify({ event: 'access', ...entry, time: new Date(entry.time).toISOString() }))
    else this.#write(accessText(entry))
  }

  #say(style: string, event: string, words: string, more: Readonly<Record<string, unknown>> = {}): void {
    if (this.#json) this.#write(JSON.stringify({ event, time: new Date().toISOString(), ...more }))
    else this.#write(`${color(style, event, this.#stream)} ${words}`.trimEnd())
  }

  #write(line: string): void {
    if (!this.#stream.destroyed) this.#stream.write(`${line}\n`)
  }
}

const nameOf = (id: string, address: string): string => (id === address ? address : `${id} at ${address}`)

const accessText = (entry: AccessEntry): string => {
  const { client, duration, received, sent, instance = '-', tries, error } = entry
  const what =
    entry.mode === 'http'
      ? `${entry.method} ${JSON.stringify(entry.target).slice(1, -1)} ${entry.status}`
      : 'connection'
  const more = `${tries > 1 ? `, ${tries} tries` : ''}${error === undefined ? '' : `: ${error}`}`
  return `${client} ${what} ${duration.toFixed(1)} ms, ${received} B in, ${sent} B out, ${instance}${more}`
}
