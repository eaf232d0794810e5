import { get } from 'node:http'
import { connect } from 'node:net'
import type { Instance } from './instance.ts'
import type { HealthCheck } from './options.ts'
import type { Comings } from './parts.ts'
import type { Roster } from './roster.ts'

/** Milliseconds, and checks in a row. */
const defaults = { interval: 2_000, timeout: 1_000, rise: 2, fall: 3 }

/** Checks each instance in the list, again and again. */
export class HealthChecks implements Comings {
  readonly #check: HealthCheck & typeof defaults
  readonly #roster: () => Roster
  readonly #stops = new Map<Instance, () => void>()

  constructor(check: HealthCheck, roster: () => Roster) {
    this.#check = { ...defaults, ...check }
    this.#roster = roster
  }

  readonly joined = (instance: Instance): void => {
    let [stopped, well, ill] = [false, 0, 0]
    let timer: NodeJS.Timeout | undefined
    const { interval, rise, fall } = this.#check
    const run = async (): Promise<void> => {
      const trouble = await troubleOf(instance, this.#check)
      if (stopped) return
      well = trouble === undefined ? well + 1 : 0
      ill = trouble === undefined ? 0 : ill + 1
      if (well >= rise) this.#roster().setFailing(instance, false, '')
      if (ill >= fall) this.#roster().setFailing(instance, true, trouble ?? '')
      timer = setTimeout(run, interval).unref()
    }
    // The first waits for an interval as well: an instance that just came may not listen yet.
    timer = setTimeout(run, interval).unref()
    this.#stops.set(instance, () => {
      stopped = true
      clearTimeout(timer)
    })
  }

  readonly left = (instance: Instance): void => {
    this.#stops.get(instance)?.()
    this.#stops.delete(instance)
  }

  stop(): void {
    for (const stop of this.#stops.values()) stop()
    this.#stops.clear()
  }
}

/** What is wrong with an instance, or undefined. */
const troubleOf = (instance: Instance, check: HealthCheck & typeof defaults): Promise<string | undefined> =>
  new Promise((resolve) => {
    const { host, port } = instance
    const { timeout } = check
    const signal = AbortSignal.timeout(timeout)
    const failed = (error: Error): void =>
      resolve(signal.aborted ? `no answer to a check within ${timeout} ms` : error.message)
    if (check.check === 'tcp') {
      const socket = connect({ host, port, signal })
      socket.on('error', failed).on('connect', () => {
        resolve(undefined)
        socket.destroy()
      })
      return
    }
    const request = get({ host, port, path: check.path, agent: false, signal })
    request.on('error', failed).on('response', ({ statusCode = 0 }) => {
      resolve(statusCode >= 200 && statusCode < 400 ? undefined : `${check.path} answered with ${statusCode}`)
      request.destroy()
    })
  })
