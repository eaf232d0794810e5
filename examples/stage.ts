/** The world around the engines of examples/raft, paxos and zab: wires, disks, time, and somebody who tells what happens. */
import {
  concatChunks,
  type Input,
  type JournalOp,
  type JournalState,
  type NodeId,
  nodeId,
  type Send,
  type Slot,
} from '@conclave/interface'

export const ids = ['A', 'B', 'C', 'D', 'E'].map(nodeId)

/** What every engine is made with. */
export const setting = {
  founders: { members: ids.map((id) => ({ id, name: id, addresses: [], role: 'voter' as const })) },
  timing: { heartbeatTicks: 5, electionTicks: 20, tickMillis: 10 },
  limits: { messageBytes: 1 << 16, inflightBytes: 1 << 16, undecidedBytes: 1 << 20, tailBytes: 1 << 20 },
}

/** What a disk keeps of a journal: the engine's record, and its slots. This one is fast: what is written is durable at once. */
export class Disk {
  #meta: Uint8Array | undefined
  readonly #slots = new Map<Slot, Uint8Array>()

  write(ops: readonly JournalOp[]): void {
    for (const op of ops) {
      if (op.type === 'meta') this.#meta = op.bytes
      else if (op.type === 'put') this.#slots.set(op.slot, concatChunks(op.bytes))
      else if (op.type === 'truncateFrom') this.#forget((slot) => slot >= op.slot)
      else if (op.type === 'compactTo') this.#forget((slot) => slot <= op.slot)
    }
  }

  #forget(gone: (slot: Slot) => boolean): void {
    for (const slot of this.#slots.keys()) if (gone(slot)) this.#slots.delete(slot)
  }

  get state(): JournalState {
    const entries = [...this.#slots].sort(([a], [b]) => a - b).map(([slot, bytes]) => ({ slot, bytes }))
    return { entries, ...(this.#meta && { meta: this.#meta }) }
  }
}

interface Line {
  readonly from: NodeId
  readonly to?: NodeId
  readonly text: string
}

/** Words by which a line begins, what to say when it comes for the first time, and whether it is worth showing again. */
export type Glossary = readonly {
  readonly begins: string
  readonly means: string
  readonly show?: 'once a chapter' | 'never'
}[]

const pad = (text: string, width: number): string => text.padEnd(width)

/** Carries messages, each for a millisecond, and tells what happens: what several nodes say or do at one time is one line. */
export class Stage {
  /** Milliseconds. */
  now = 0
  readonly #describe: (message: Uint8Array) => string | undefined
  readonly #glossary: Glossary
  readonly #explained = new Set<string>()
  /** When a line that begins so was shown last in this chapter. */
  readonly #shown = new Map<string, number>()
  #flying: { readonly from: NodeId; readonly to: NodeId; readonly message: Uint8Array }[] = []
  #lines: Line[] = []

  constructor(describe: (message: Uint8Array) => string | undefined, glossary: Glossary) {
    this.#describe = describe
    this.#glossary = glossary
  }

  chapter(title: string): void {
    console.log(`\n${title}\n`)
    this.#shown.clear()
  }

  send(from: NodeId, { to, message }: Send): void {
    const bytes = concatChunks(message)
    this.#flying.push({ from, to, message: bytes })
    this.#lines.push({ from, to, text: this.#describe(bytes) ?? '?' })
  }

  /** Lets time pass: what is under way arrives, and every ten milliseconds the clocks of `alive` tick. */
  pass(millis: number, alive: () => Iterable<NodeId>, step: (id: NodeId, input: Input) => void): void {
    this.#print()
    for (const end = this.now + millis; this.now < end; ) {
      this.now++
      for (const { from, to, message } of this.#flying.splice(0)) step(to, { type: 'receive', from, message })
      if (this.now % setting.timing.tickMillis === 0) for (const id of alive()) step(id, { type: 'tick' })
      this.#print()
    }
  }

  tell(who: NodeId, text: string): void {
    this.#lines.push({ from: who, text })
  }

  #print(): void {
    let time = `${this.now} ms`
    for (const [who, text] of this.#grouped()) {
      const meaning = this.#meaning(text)
      if (meaning === undefined) continue
      console.log(`${pad(time, 8)}${pad(who, 14)}${pad(text, meaning === '' ? 0 : 43)}${meaning}`)
      time = ''
    }
  }

  /** Undefined for what was shown already, and once is enough. */
  #meaning(text: string): string | undefined {
    const entry = this.#glossary.find(({ begins }) => text.startsWith(begins))
    if (entry === undefined) return ''
    const before = this.#shown.get(entry.begins) ?? this.now
    if (entry.show === 'never' || (entry.show !== undefined && before < this.now)) return undefined
    const meaning = this.#explained.has(entry.begins) ? '' : entry.means
    this.#explained.add(entry.begins)
    this.#shown.set(entry.begins, this.now)
    return meaning
  }

  /** Who says it to whom, and what. */
  #grouped(): [who: string, text: string][] {
    const groups = new Map<string, Line[]>()
    const lines = this.#lines.splice(0)
    for (const line of lines) {
      const toMany = lines.filter(({ from, text }) => from === line.from && text === line.text).length > 1
      const key = `${line.text} ${line.to === undefined ? '' : toMany ? line.from : `to ${line.to}`}`
      groups.set(key, [...(groups.get(key) ?? []), line])
    }
    return [...groups.values()].map((group) => {
      const unique = (ids: (NodeId | undefined)[]): string => [...new Set(ids)].sort().join(' ')
      const from = unique(group.map((line) => line.from))
      const to = unique(group.map((line) => line.to))
      return [to === '' ? from : `${from} → ${to}`, group[0]?.text ?? '']
    })
  }
}
