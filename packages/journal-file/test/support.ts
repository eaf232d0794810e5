import type {
  Clock,
  Journal,
  JournalOp,
  JournalState,
  Monotonic,
  Position,
  Slot,
  SnapshotId,
} from '@conclave/interface'

/** A clock that stands still until `pass` moves it. */
export const handClock = (): Clock & { pass(ms: number): void } => {
  let now = 0
  const timers = new Set<{ readonly at: number; readonly run: () => void }>()
  return {
    now: () => now as Monotonic,
    after: (ms, run) => {
      const timer = { at: now + ms, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    defer: (run) => queueMicrotask(run),
    pass: (ms) => {
      now += ms
      for (const timer of [...timers]) {
        if (timer.at > now || !timers.delete(timer)) continue
        timer.run()
      }
    },
  }
}

/** Lets everything that completes in microtasks complete. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export const quiet = { disk: (): void => {} }
export const text = (value: string): Uint8Array => new TextEncoder().encode(value)
export const put = (slot: number, ...bytes: Uint8Array[]): JournalOp => ({ type: 'put', slot: slot as Slot, bytes })
export const meta = (bytes: Uint8Array): JournalOp => ({ type: 'meta', bytes })
export const truncateFrom = (slot: number): JournalOp => ({ type: 'truncateFrom', slot: slot as Slot })
export const compactTo = (slot: number): JournalOp => ({ type: 'compactTo', slot: slot as Slot })
export const snapshot = (id: string, position: number, header = text(`header of ${id}`)): JournalOp => ({
  type: 'snapshot',
  id: id as SnapshotId,
  position: position as Position,
  header,
})

export const write = (journal: Journal, ...ops: JournalOp[]): Promise<void> =>
  new Promise((resolve, reject) => journal.write(ops, (error) => (error === undefined ? resolve() : reject(error))))

export async function* chunks(...parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts
}

export const stage = (journal: Journal, id: string, ...parts: Uint8Array[]): Promise<void> =>
  journal.stage(id as SnapshotId, chunks(...parts), new AbortController().signal)

export const readBody = async (journal: Journal, id: string): Promise<Uint8Array> => {
  const parts: Uint8Array[] = []
  for await (const part of journal.readSnapshot(id as SnapshotId)) parts.push(part)
  return new Uint8Array(Buffer.concat(parts))
}

const shown = (bytes: Uint8Array | undefined): string =>
  bytes === undefined ? '-' : Buffer.from(bytes).toString('base64')

/** One text per state: equal states have equal texts. */
export const describeState = (state: JournalState): string =>
  [
    `meta ${shown(state.meta)}`,
    state.snapshot === undefined
      ? 'no snapshot'
      : `snapshot ${state.snapshot.id} ${state.snapshot.position} ${shown(state.snapshot.header)}`,
    ...state.entries.map((entry) => `${entry.slot} ${shown(entry.bytes)}`),
  ].join('\n')

/** What a journal holds, by the words of the contract alone. */
export class Model {
  #meta: Uint8Array | undefined
  #snapshot: JournalState['snapshot']
  readonly #entries = new Map<Slot, Uint8Array>()

  apply(ops: readonly JournalOp[]): void {
    for (const op of ops) {
      if (op.type === 'meta') this.#meta = op.bytes
      else if (op.type === 'snapshot') this.#snapshot = { id: op.id, position: op.position, header: op.header }
      else if (op.type === 'put') this.#entries.set(op.slot, Buffer.concat(op.bytes))
      else
        for (const slot of this.#entries.keys())
          if (op.type === 'truncateFrom' ? slot >= op.slot : slot <= op.slot) this.#entries.delete(slot)
    }
  }

  state(): JournalState {
    return {
      ...(this.#meta === undefined ? {} : { meta: this.#meta }),
      ...(this.#snapshot === undefined ? {} : { snapshot: this.#snapshot }),
      entries: [...this.#entries].sort(([a], [b]) => a - b).map(([slot, bytes]) => ({ slot, bytes })),
    }
  }
}
