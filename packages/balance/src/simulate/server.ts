import type { BalanceCandidate } from '../candidate.ts'
import type { Departures } from './departures.ts'
import { Line } from './line.ts'
import { idsOf } from './parse-workload.ts'
import { serviceMillis, type Trace } from './trace.ts'
import type { Episode, ServerWorkload, Workload } from './workload.ts'

/** An error of a server comes so many milliseconds after the work began. */
const errorMillis = 1

/** A server: so many requests are worked on, the others wait in a line. */
export class Server {
  readonly candidate: BalanceCandidate
  readonly workload: ServerWorkload
  /** What it was sent, and how much of that were errors. */
  requests = 0
  errors = 0
  readonly #index: number
  readonly #waiting = new Line()
  #busy = 0
  /** Requests here times milliseconds since the load was asked for, up to `#counted`. */
  #loadMillis = 0
  #counted = 0
  #asked = 0

  constructor(index: number, id: string, workload: ServerWorkload) {
    this.#index = index
    this.candidate = { id, weight: workload.weight }
    this.workload = workload
  }

  /** Whether it is a candidate at `time`. */
  presentAt(time: number): boolean {
    const { joinsAtMillis, leavesAtMillis = Number.POSITIVE_INFINITY } = this.workload
    return joinsAtMillis <= time && time < leavesAtMillis
  }

  /** Takes a request; false if it has no room. */
  arrive(request: number, time: number, trace: Trace, departures: Departures): boolean {
    const { concurrency, queue } = this.workload
    this.#count(time)
    if (this.#busy < concurrency) this.#work(request, time, trace, departures)
    else if (this.#waiting.length < queue) this.#waiting.push(request)
    else return false
    return true
  }

  /** A request ended, and the next one begins. */
  depart(time: number, trace: Trace, departures: Departures): void {
    this.#count(time)
    this.#busy--
    const next = this.#waiting.shift()
    if (next !== undefined) this.#work(next, time, trace, departures)
  }

  /** The requests here for each one that it can work on at a time, on average since this was asked for the last time. */
  takeLoad(time: number): number {
    this.#count(time)
    const passed = time - this.#asked
    const load = passed > 0 ? this.#loadMillis / passed / this.workload.concurrency : 0
    this.#loadMillis = 0
    this.#asked = time
    return load
  }

  #work(request: number, time: number, trace: Trace, departures: Departures): void {
    this.#busy++
    const { slowdown = 1, errorRate = 0 } = this.#episodeAt(time) ?? {}
    const failed = (trace.luck[request] ?? 0) < errorRate
    const full = serviceMillis(this.workload.service, trace.sizes[request] ?? 0, trace.normals[request] ?? 0)
    departures.add({ time: time + (failed ? errorMillis : slowdown * full), request, server: this.#index, failed })
  }

  #episodeAt(time: number): Episode | undefined {
    return this.workload.episodes.find(({ fromMillis, toMillis }) => fromMillis <= time && time < toMillis)
  }

  #count(time: number): void {
    this.#loadMillis += (time - this.#counted) * (this.#busy + this.#waiting.length)
    this.#counted = time
  }
}

export const serversOf = ({ servers }: Workload): readonly Server[] => {
  const named = servers.flatMap((workload) => idsOf(workload).map((id) => ({ id, workload })))
  return named.map(({ id, workload }, index) => new Server(index, id, workload))
}
