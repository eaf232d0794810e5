/**
 * Active health checks: one instance is asked again and again, and taken for well or ill once enough answers in a row say so.
 *
 * @packageDocumentation
 */
import { get as httpGet } from 'node:http'
import { get as httpsGet } from 'node:https'
import { connect } from 'node:net'
import { parseAddress } from './source.ts'

/** Rejects, with why, unless the instance is well. */
export type Probe = (signal: AbortSignal) => Promise<void>

/** Connects. @param address `HOST:PORT`. @throws RangeError */
export const tcpProbe = (address: string): Probe => {
  const { host, port } = parseAddress(address)
  return (signal) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host, port, signal })
      socket.on('error', reject).on('connect', () => {
        resolve()
        socket.destroy()
      })
    })
}

/** Asks by GET on a connection of its own; 200 to 399 is well. @param url of http or https. */
export const httpProbe =
  (url: URL): Probe =>
  (signal) =>
    new Promise((resolve, reject) => {
      const get = url.protocol === 'https:' ? httpsGet : httpGet
      const request = get(url, { agent: false, signal })
      request.on('error', reject).on('response', ({ statusCode = 0 }) => {
        if (statusCode >= 200 && statusCode < 400) resolve()
        else reject(new Error(`${url.pathname}${url.search} answered with ${statusCode}`))
        request.destroy()
      })
    })

export interface HealthWatchInit {
  readonly probe: Probe
  /** Milliseconds from the end of one check to the next. */
  readonly interval: number
  /** Milliseconds after which a check has failed. */
  readonly timeout: number
  /** So many in a row that succeed make it well. */
  readonly rise: number
  /** So many in a row that fail make it ill. */
  readonly fall: number
  /** What it is taken for to begin with. */
  readonly well: boolean
  /** Milliseconds until the first check. */
  readonly delay: number
  /** Called when it is taken for something else. @param why it is ill. */
  readonly changed: (well: boolean, why: string) => void
}

/** Checks an instance, one check at a time. It holds no process open. @returns what stops it. */
export const watchHealth = (init: HealthWatchInit): (() => void) => {
  const { probe, interval, timeout, rise, fall, changed } = init
  const stopped = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let { well } = init
  /** Checks in a row that say otherwise. */
  let against = 0
  const found = (now: boolean, why: string): void => {
    against = now === well ? 0 : against + 1
    if (against < (now ? rise : fall)) return
    well = now
    against = 0
    changed(well, why)
  }
  const check = async (): Promise<void> => {
    const late = new AbortController()
    const tooLate = setTimeout(() => late.abort(), timeout)
    let why: string | undefined
    try {
      await probe(AbortSignal.any([stopped.signal, late.signal]))
    } catch (error) {
      why = late.signal.aborted ? `no answer to a check within ${timeout} ms` : String((error as Error).message)
    }
    clearTimeout(tooLate)
    if (stopped.signal.aborted) return
    found(why === undefined, why ?? '')
    timer = setTimeout(check, interval).unref()
  }
  timer = setTimeout(check, init.delay).unref()
  return () => {
    stopped.abort()
    clearTimeout(timer)
  }
}
