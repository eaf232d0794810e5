import { type Balancer, seededRandom } from '@conclave/interface'
import type { BalanceCandidate, BalanceRequest } from '../candidate.ts'
import { outlierEjection } from '../decorators/outlier-ejection.ts'
import type { Strategy } from '../strategies.ts'
import { candidatesAt, changesOf } from './changes.ts'
import { type Departure, Departures } from './departures.ts'
import { Outcomes } from './outcomes.ts'
import { type Server, serversOf } from './server.ts'
import { keyText, type Trace } from './trace.ts'
import type { Workload } from './workload.ts'

/** The balancers and servers of a simulation, in virtual time. */
export class World {
  readonly servers: readonly Server[]
  readonly outcomes: Outcomes
  /** Requests of the trace that have arrived. */
  arrived = 0
  readonly #trace: Trace
  readonly #byId: ReadonlyMap<string, Server>
  readonly #balancers: readonly Balancer<BalanceRequest, BalanceCandidate>[]
  readonly #departures = new Departures()
  /** When candidates change, from the next time on. */
  readonly #changes: number[]
  #candidates: readonly BalanceCandidate[]
  #now = 0

  constructor(workload: Workload, trace: Trace, strategy: Strategy, seed: number) {
    this.servers = serversOf(workload)
    this.outcomes = new Outcomes(trace.count)
    this.#trace = trace
    this.#byId = new Map(this.servers.map((server) => [server.candidate.id, server]))
    this.#changes = [...changesOf(workload)]
    this.#candidates = candidatesAt(this.servers, 0)
    const now = (): number => this.#now
    this.#balancers = Array.from({ length: workload.balancers }, (_, index) => {
      const plain = strategy.factory<BalanceCandidate>({ random: seededRandom(seed * 1000 + index), now })
      return workload.outlierEjection ? outlierEjection(plain, { now }) : plain
    })
  }

  /** Plays until `end`. @returns the mean load of each server since the last time. */
  playTo(end: number): readonly number[] {
    while (this.#playNext(end));
    this.#now = end
    return this.servers.map((server) => server.takeLoad(end))
  }

  /** Has everything end that is under way. */
  playOut(): void {
    while (this.#playNext(Number.POSITIVE_INFINITY));
  }

  /** For how long of that time a server was a candidate. */
  presentMillis(index: number, fromMillis: number, toMillis: number): number {
    const { joinsAtMillis = 0, leavesAtMillis = toMillis } = this.servers[index]?.workload ?? {}
    return Math.max(0, Math.min(toMillis, leavesAtMillis) - Math.max(fromMillis, joinsAtMillis))
  }

  /** What is next before `end`: of equal times a change of the candidates, then a departure, then an arrival. False if there is nothing. */
  #playNext(end: number): boolean {
    const [change = Number.POSITIVE_INFINITY] = this.#changes
    const departure = this.#departures.next
    const arrival = this.#trace.arrivals[this.arrived] ?? Number.POSITIVE_INFINITY
    const time = Math.min(change, departure, arrival)
    if (time >= end) return false
    this.#now = time
    if (time === change) {
      this.#changes.shift()
      this.#candidates = candidatesAt(this.servers, time)
    } else if (time === departure) {
      const departed = this.#departures.take()
      if (departed !== undefined) this.#depart(departed)
    } else this.#arrive(this.arrived++)
    return true
  }

  #arrive(request: number): void {
    const key = keyText(this.#trace.keys[request] ?? 0)
    const picked = this.#balancerOf(request)?.pick({ key }, this.#candidates)
    const server = picked === undefined ? undefined : this.#byId.get(picked.id)
    if (server === undefined) return
    server.requests++
    if (server.arrive(request, this.#now, this.#trace, this.#departures)) return
    server.errors++
    this.#balancerOf(request)?.settled?.(server.candidate, { latency: 0, error: 'the queue is full' })
  }

  #depart({ request, server: index, failed }: Departure): void {
    const server = this.servers[index]
    if (server === undefined) return
    const latency = this.#now - (this.#trace.arrivals[request] ?? 0)
    server.depart(this.#now, this.#trace, this.#departures)
    if (failed) server.errors++
    else this.outcomes.ended(request, latency)
    this.#balancerOf(request)?.settled?.(
      server.candidate,
      failed ? { latency, error: 'the server failed' } : { latency },
    )
  }

  #balancerOf(request: number): Balancer<BalanceRequest, BalanceCandidate> | undefined {
    return this.#balancers[this.#trace.balancers[request] ?? 0]
  }
}
