/**
 * A process of real clients: workers that read, write, swap and delete a few keys through the public client package, as fast as a bounded think time
 * allows, and write down what they were told. Started by the soak with one JSON argument; ends at `stop`, or with the soak.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, connect, type KvEntry } from '@conclave/client'
import { type Random, seededRandom } from '@conclave/interface'
import { type Hold, micros, type Operation, type Outcome } from './history.ts'
import { workWithLocks } from './lockers.ts'
import type { ClientsInit, FromClients, ToClients } from './messages.ts'
import { LineFile, Recorder } from './recorder.ts'

const init = JSON.parse(process.argv[2] ?? '') as ClientsInit
const tell = (message: FromClients): void => {
  process.send?.(message)
}

const stopping = new AbortController()
process.on('message', (message: ToClients) => {
  if (message.type === 'stop') stopping.abort()
})
process.on('disconnect', () => process.exit(1))

/** The keys of the present: all workers of all processes see the same ones, since they share the clock. Each key moves on at a time of its own. */
const keyAt = (index: number): string => {
  const elapsed = (micros() - init.began) / 1000
  const generation = Math.floor(elapsed / init.generationMillis + index / init.keys)
  return `k/${index}/${generation}`
}

const pickKey = (random: Random): string => {
  // The smaller of two: some keys are fought over, others are quiet.
  const index = Math.floor(Math.min(random.next(), random.next()) * init.keys)
  return keyAt(index)
}

/** One worker's loop: one call at a time. */
const work = async (worker: string, recorder: Recorder, random: Random): Promise<void> => {
  let known: { readonly key: string; readonly entry: KvEntry | undefined } | undefined
  const step = async (): Promise<Outcome> => {
    const key = pickKey(random)
    const timeout = 1000 + random.next() * 4000
    // Some callers lose patience: what they are told must hold as well.
    const signal = random.next() < 0.01 ? { signal: AbortSignal.timeout(Math.ceil(random.next() * 40)) } : {}
    const options = { timeout, ...signal }
    const choice = random.next()
    if (choice < 0.4) {
      const level = init.leases && random.next() < 0.5 ? 'lease' : 'linearizable'
      const { outcome, entry } = await recorder.get(key, { ...options, level })
      if (outcome === 'ok') known = { key, entry }
      return outcome
    }
    if (choice < 0.6) return recorder.put(key, options)
    // Each worker's own key takes blind puts only: its version counts them, and each must count once.
    if (choice < 0.68) return recorder.put(`once/${worker}`, options)
    if (choice < 0.74) return recorder.delete(key, options)
    // What was read last, maybe long ago; before the first read, that the key is new.
    return recorder.cas(known?.key ?? key, known?.entry, options)
  }
  while (!stopping.signal.aborted) {
    const outcome = await step()
    const pause = outcome === 'failed' ? 100 : 5 + random.next() * 60
    await sleep(pause, undefined, { signal: stopping.signal }).catch(() => undefined)
  }
}

const connected = async (): Promise<Client> => {
  for (;;) {
    try {
      return await connect({ endpoints: init.endpoints, cluster: init.cluster, timeout: 5000 })
    } catch (error) {
      if (stopping.signal.aborted) throw error
    }
  }
}

const file = await LineFile.create(init.file)
const holds = await LineFile.create(init.holds)
const counts: Record<string, number> = {}
let operations = 0
const write = (operation: Operation): void => {
  operations += 1
  const name = operation.kind === 'get' ? `read ${operation.outcome}` : `write ${operation.outcome}`
  counts[name] = (counts[name] ?? 0) + 1
  file.write(operation)
}

const writeHold = (hold: Hold): void => {
  counts.locks = (counts.locks ?? 0) + 1
  holds.write(hold)
}

const clients = await Promise.all(Array.from({ length: init.clients }, connected))
const progress = setInterval(() => tell({ type: 'progress', counts }), 500)
const clientOf = (worker: number): Client => clients[worker % clients.length] as Client
await Promise.all([
  ...Array.from({ length: init.workers }, (_, at) => {
    const worker = `${init.name}w${at}`
    return work(worker, new Recorder(worker, clientOf(at), write), seededRandom(init.seed + at))
  }),
  ...Array.from({ length: init.lockers }, (_, at) =>
    workWithLocks({
      name: `${init.name}l${at}`,
      client: clientOf(at),
      random: seededRandom(init.seed + 500 + at),
      stopping: stopping.signal,
      write: writeHold,
    }),
  ),
])
clearInterval(progress)
await Promise.all(clients.map((client) => client.close()))
await Promise.all([file.close(), holds.close()])
tell({ type: 'progress', counts })
tell({ type: 'done', operations })
process.disconnect()
