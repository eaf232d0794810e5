import type { KvInput, KvOutput, Operation } from '../src/index.ts'

export interface LongHistory {
  readonly calls: number
  readonly clients: number
  readonly keys: number
  readonly lostPerMille: number
  /** Replies carry no revisions. */
  readonly bare?: boolean
}

/** A store that is right, under clients that are always busy. The same each time. */
export const longHistory = ({
  calls,
  clients,
  keys,
  lostPerMille,
  bare = false,
}: LongHistory): readonly Operation<KvInput, KvOutput>[] => {
  let seed = 1
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  const clocks = new Array<number>(clients).fill(0)
  const plans = Array.from({ length: calls }, (_, at) => {
    const client = at % clients
    const invoked = (clocks[client] as number) + 1 + random(3)
    const effect = invoked + 1 + random(50)
    const returned = effect + 1 + random(50)
    clocks[client] = returned
    return { at, client, invoked, effect, returned }
  })
  plans.sort((a, b) => a.effect - b.effect || a.at - b.at)
  const store = new Map<string, { readonly value: string; readonly revision: bigint }>()
  let revision = 0n

  const run = (input: KvInput): KvOutput => {
    const now = store.get(input.key)
    const previous = now?.revision ?? 0n
    if (input.type === 'get') {
      const value = now?.value ?? null
      return bare ? { type: 'got', value } : { type: 'got', value, modRevision: previous, revision }
    }
    if (input.type === 'cas' && input.expected !== (now?.value ?? null)) return { type: 'mismatch' }
    if (input.type === 'delete') return { type: 'mismatch' }
    revision += 1n
    store.set(input.key, { value: input.value, revision })
    return bare ? { type: 'done' } : { type: 'done', revision, previous }
  }

  const ask = (at: number): KvInput => {
    const key = `k${random(keys)}`
    const kind = random(10)
    if (kind < 5) return { type: 'get', key }
    if (kind < 9) return { type: 'put', key, value: `v${at}` }
    return { type: 'cas', key, expected: random(2) === 0 ? 'x' : (store.get(key)?.value ?? null), value: `w${at}` }
  }

  return plans.map(({ at, client, invoked, returned }) => {
    const input = ask(at)
    const lost = random(1000) < lostPerMille
    if (lost && random(2) === 0) return { client, input, invoked }
    const output = run(input)
    return lost ? { client, input, invoked } : { client, input, invoked, returned, output }
  })
}
