import type { ChildProcess } from 'node:child_process'
import { Talker } from './child.ts'
import type { Administration, FinalState, FromObserver, MemberSeen, ToObserver } from './messages.ts'
import { Tally } from './tally.ts'

/** What every node may take to hold the same, once all is healed and nobody writes. */
const settleMillis = 60_000

/** The soak's side of the process that looks on. */
export class Onlooker {
  readonly tally = new Tally()
  /** Actions by kind, and by whether they were done. */
  readonly administered: Record<string, number> = {}
  readonly #observer: Talker<ToObserver, FromObserver>
  readonly #boundMillis: number
  readonly #violated: (check: string, text: string) => void
  #asked = 0

  constructor(child: ChildProcess, boundMillis: number, violated: (check: string, text: string) => void) {
    this.#observer = new Talker('the observer', child, (problem) => violated('process', problem))
    this.#boundMillis = boundMillis
    this.#violated = violated
    this.#observer.on((message) => {
      if (message.type === 'seen') this.tally.see(message.nodes)
      if (message.type === 'violation') violated('watch', message.text)
    })
  }

  /** It has found the cluster. */
  async ready(): Promise<void> {
    await this.#observer.next('ready', 60_000)
  }

  /** Milliseconds until a write was acknowledged; undefined if none was within the bound. */
  async probe(): Promise<number | undefined> {
    this.#asked += 1
    const id = this.#asked
    const answer = this.#observer.next('probed', this.#boundMillis + 10_000, id)
    this.#observer.tell({ type: 'probe', id, withinMillis: this.#boundMillis })
    const { ok, millis } = await answer
    return ok ? millis : undefined
  }

  /** Tried once. Resolves to what went wrong, if it did, and to the members, if they were asked for. */
  async administer(
    action: Administration,
  ): Promise<{ readonly error?: string; readonly members?: readonly MemberSeen[] }> {
    this.#asked += 1
    const id = this.#asked
    const answer = this.#observer.next('administered', 10_000, id)
    this.#observer.tell({ type: 'administer', id, action })
    const { error, members } = await answer
    if (action.type !== 'members') {
      const name = error === undefined ? action.type : `${action.type} not done`
      this.administered[name] = (this.administered[name] ?? 0) + 1
    }
    return { ...(error === undefined ? {} : { error }), ...(members === undefined ? {} : { members }) }
  }

  /** What every node holds in the end; undefined, and told as a violation, if they do not come to the same. Ends the observer. */
  async final(): Promise<FinalState | undefined> {
    const answer = this.#observer.next('final', 4 * settleMillis)
    this.#observer.tell({ type: 'final', withinMillis: settleMillis })
    const { state, error } = await answer
    if (state === undefined) this.#violated('convergence', error ?? 'no answer')
    this.leaving()
    const stopped = this.#observer.next('stopped', 30_000)
    this.#observer.tell({ type: 'stop' })
    await stopped
    return state
  }

  /** Its end is no surprise any more. */
  leaving(): void {
    this.#observer.leaving()
  }
}
