/**
 * The process that looks on, from a place that no partition reaches: it polls the status of every node, watches every write, and answers the soak's
 * questions whether the cluster answers and what each node holds in the end. Started by the soak with one JSON argument.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, connect, type NodeStatus } from '@conclave/client'
import { micros, type WatchedEvent } from './history.ts'
import type {
  Administration,
  FinalEntry,
  FinalState,
  FromObserver,
  MemberSeen,
  ObserverInit,
  Seen,
  ToObserver,
} from './messages.ts'
import { fateOf, LineFile, Recorder } from './recorder.ts'
import { idOfValue } from './values.ts'

const init = JSON.parse(process.argv[2] ?? '') as ObserverInit
const tell = (message: FromObserver): void => {
  process.send?.(message)
}
process.on('disconnect', () => process.exit(1))

const stopping = new AbortController()
const file = await LineFile.create(init.file)
const eventFile = await LineFile.create(init.events)

const connected = async (): Promise<Client> => {
  for (;;) {
    try {
      return await connect({ endpoints: init.endpoints, cluster: init.cluster, timeout: 5000 })
    } catch (error) {
      if (stopping.signal.aborted) throw error
    }
  }
}
const client = await connected()
const recorder = new Recorder('observer', client, (operation) => file.write(operation))

/** The revision up to which the watch has told everything it is going to tell so far. */
let watched = 0
const watch = async (): Promise<void> => {
  for await (const event of client.kv.watch({ fromRevision: 1n, signal: stopping.signal })) {
    const revision = Number(event.revision)
    // Every write has a revision one above the one before, and this watch is for all keys.
    if (revision !== watched + 1) {
      tell({ type: 'violation', text: `the watch told revision ${revision} after ${watched}` })
    }
    watched = revision
    const about = { revision, key: event.key, type: event.type }
    eventFile.write((event.type === 'put' ? { ...about, value: idOfValue(event.value) } : about) satisfies WatchedEvent)
  }
}
watch().catch((error: unknown) => {
  if (!stopping.signal.aborted) tell({ type: 'violation', text: `the watch ended: ${error}` })
})

const look = async (): Promise<readonly Seen[]> => {
  const members = await client.status({ timeout: 400 })
  return members.map((member) =>
    member.reachable ? { name: member.name, status: member.status } : { name: member.name },
  )
}
const poll = async (): Promise<void> => {
  while (!stopping.signal.aborted) {
    tell({ type: 'seen', nodes: await look() })
    await sleep(250, undefined, { signal: stopping.signal }).catch(() => undefined)
  }
}

/** A write that must get through; each attempt is an operation of its own in the history. */
const probe = async (id: number, withinMillis: number): Promise<void> => {
  const began = micros()
  const millis = (): number => (micros() - began) / 1000
  let outcome = 'never tried'
  while (millis() < withinMillis) {
    outcome = await recorder.put('probe', { timeout: 2000 })
    if (outcome === 'ok') return tell({ type: 'probed', id, ok: true, millis: millis() })
  }
  tell({ type: 'probed', id, ok: false, millis: millis(), error: outcome })
}

const done = async (action: Administration): Promise<readonly MemberSeen[] | undefined> => {
  const { membership } = client
  const options = { timeout: 3000 }
  switch (action.type) {
    case 'members': {
      const { members } = (await membership.get(options)).membership
      return members.map(({ id, name, role, promote = false }) => ({ id, name, role, promote }))
    }
    case 'add':
      await membership.add(action.member, { ...options, role: action.role })
      return undefined
    case 'promote':
      await membership.promote(action.id, options)
      return undefined
    case 'remove':
      await membership.remove(action.id, options)
      return undefined
    case 'move-leader':
      await membership.moveLeader(action.id, options)
      return undefined
  }
}
const administer = (id: number, action: Administration): void => {
  done(action).then(
    (members) => tell({ type: 'administered', id, ...(members === undefined ? {} : { members }) }),
    (error: unknown) => tell({ type: 'administered', id, error: `${fateOf(error).code}: ${error}` }),
  )
}

const statuses = async (): Promise<readonly NodeStatus[] | undefined> => {
  const members = await client.status({ timeout: 1000 })
  const found = members.flatMap((member) => (member.reachable ? [member.status] : []))
  return found.length === members.length ? found : undefined
}

/** Once every node answers and has applied the same position; nobody writes any more. @throws Error when the time is up. */
const settled = async (withinMillis: number): Promise<readonly NodeStatus[]> => {
  const began = micros()
  let last: readonly NodeStatus[] | undefined
  while (micros() - began < withinMillis * 1000) {
    last = await statuses()
    if (last !== undefined && new Set(last.map(({ applied }) => applied)).size === 1) return last
    await sleep(100)
  }
  const where = last?.map(({ name, applied }) => `${name}: ${applied}`).join(', ') ?? 'some node does not answer'
  throw new Error(`the nodes did not come to the same state within ${withinMillis} ms (${where})`)
}

/** Every entry as one node has it itself. */
const entriesOf = async (endpoint: string): Promise<FinalEntry[]> => {
  await using local = await connect({ endpoints: [endpoint], cluster: init.cluster })
  const entries: FinalEntry[] = []
  for await (const { key, value, modRevision, version } of local.kv.entries({ level: 'local' }))
    entries.push({ key, value: idOfValue(value), revision: Number(modRevision), version })
  return entries
}

const finalState = async (withinMillis: number): Promise<FinalState> => {
  const nodes = await settled(withinMillis)
  const revision = Number(await client.kv.revision({ timeout: withinMillis }))
  const began = micros()
  while (watched < revision && micros() - began < withinMillis * 1000) await sleep(20)
  const found = []
  for (const { id, name, applied, machines = {} } of nodes) {
    const [address = ''] = client.members().find((member) => member.id === id)?.addresses ?? []
    const endpoint = `${address}/p2p/${id}`
    found.push({ name, applied, hash: JSON.stringify(machines), entries: await entriesOf(endpoint) })
  }
  return { revision, watched: watched >= revision, nodes: found }
}

const stop = async (): Promise<void> => {
  stopping.abort()
  await client.close()
  await file.close()
  await eventFile.close()
  tell({ type: 'stopped' })
  process.disconnect()
}

process.on('message', (message: ToObserver) => {
  switch (message.type) {
    case 'probe':
      void probe(message.id, message.withinMillis)
      break
    case 'administer':
      administer(message.id, message.action)
      break
    case 'final':
      finalState(message.withinMillis).then(
        (state) => tell({ type: 'final', state }),
        (error: unknown) => tell({ type: 'final', error: String(error) }),
      )
      break
    case 'stop':
      void stop()
      break
  }
})
void poll()
tell({ type: 'ready' })
