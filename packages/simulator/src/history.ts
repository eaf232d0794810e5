import { check, type KvInput, type KvOutput, kvModel, type Operation } from '@conclave/linearizability'

export type HistoryOperation = Operation<KvInput, KvOutput>

interface Entry {
  readonly client: number
  readonly input: KvInput
  readonly invoked: number
  output?: KvOutput
  returned?: number
}

/** So many steps of the model a history may take: the same in every run, on every machine. */
const maxSteps = 1_000_000

/** What clients asked and were told, in the order of events. */
export class History {
  readonly #entries: Entry[] = []
  #clock = 0

  /** A call begins. Returns what ends it; a call that nobody ends stays open. */
  invoke(client: number, input: KvInput): (output: KvOutput) => void {
    const entry: Entry = { client, input, invoked: ++this.#clock }
    this.#entries.push(entry)
    return (output) => {
      if (entry.returned !== undefined) return
      entry.output = output
      entry.returned = ++this.#clock
    }
  }

  get operations(): readonly HistoryOperation[] {
    return this.#entries
  }

  /** Undefined: linearizable (Herlihy and Wing, 1990). `unknown` is no pass: the search was given up. */
  judge(): { readonly verdict: 'illegal' | 'unknown'; readonly what: string } | undefined {
    const result = check(kvModel, this.operations, { maxSteps })
    if (result.verdict === 'ok') return undefined
    if (result.verdict === 'unknown')
      return { verdict: 'unknown', what: `no verdict within ${result.steps} steps: ${result.partitions.join(', ')}` }
    return { verdict: 'illegal', what: 'what clients were told has no order in which it could have happened' }
  }
}
