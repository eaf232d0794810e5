import { httpProbe, type Probe, tcpProbe, watchHealth } from './health-watch.ts'
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
    const { interval, timeout, rise, fall } = this.#check
    const stop = watchHealth({
      ...{ interval, timeout, rise, fall },
      probe: probeOf(instance, this.#check),
      well: true,
      // An instance that just came may not listen yet.
      delay: interval,
      changed: (well, why) => this.#roster().setFailing(instance, !well, why),
    })
    this.#stops.set(instance, stop)
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

const probeOf = ({ address }: Instance, check: HealthCheck): Probe =>
  check.check === 'tcp' ? tcpProbe(address) : httpProbe(new URL(`http://${address}${check.path}`))
