import type { Trace, TraceEvent } from '../src/trace.ts'

/** A trace by hand, told like the story that it holds. */
class Teller {
  readonly events: TraceEvent[] = []
  #at = 0
  #id = 0

  wait(millis: number): this {
    this.#at += millis
    return this
  }
  tell(...events: TraceEvent[]): this {
    this.events.push(...events)
    return this
  }
  get at(): number {
    return this.#at
  }
  message(from: string, to: string, what: string, millis = 3, lost = false): this {
    const id = ++this.#id
    this.tell({ at: this.#at, type: 'sent', id, from, to, what })
    this.#at += millis
    return this.tell({ at: this.#at, type: lost ? 'lost' : 'received', id, from, to, what })
  }
  role(node: string, role: string, epoch: bigint): this {
    return this.tell({ at: this.#at, type: 'role', node, role, epoch })
  }
  append(node: string, slot: number, what: string): this {
    return this.tell({ at: this.#at, type: 'appended', node, slot, what })
  }
  life(type: 'started' | 'crashed' | 'paused' | 'resumed', node: string, why?: string): this {
    return this.tell({ at: this.#at, type, node, ...(why === undefined ? {} : { why }) })
  }
  elect(node: string, voters: readonly string[], term: bigint): this {
    this.role(node, 'candidate', term)
    for (const voter of voters) {
      this.message(node, voter, `vote term ${term}`)
      this.message(voter, node, `vote reply yes term ${term}`)
    }
    return this.role(node, 'leader', term)
  }
}

const nodes = ['n1', 'n2', 'n3', 'n4', 'n5']

/** Raft, extended version, figure 8, (a) to (d): an entry on a majority is counted as committed, and overwritten. */
export const figure8 = (): Trace => {
  const told = new Teller()
  for (const node of nodes) told.life('started', node)
  told.wait(200).elect('n1', ['n2', 'n3'], 2n)
  for (const node of nodes) told.append(node, 1, 'reign term 2')
  told.tell({ at: told.at, type: 'decided', node: 'n1', position: 1, what: 'reign term 2' }).wait(30)
  for (let beat = 0; beat < 6; beat++) {
    told.wait(50)
    for (const to of nodes.slice(1)) told.message('n1', to, 'heartbeat term 2', 1)
  }
  told.tell({ at: told.at, type: 'invoked', client: 1, operation: 1, what: 'put x=1' })
  told.append('n1', 2, 'batch term 2').message('n1', 'n2', 'append 2 term 2').append('n2', 2, 'batch term 2')
  told.message('n1', 'n3', 'append 2 term 2', 4, true)
  told.tell({ at: told.at, type: 'fault', fault: 'crash', id: 3, what: 'crash n1 (power)', nodes: ['n1'] })
  told.life('crashed', 'n1', 'power').wait(400).elect('n5', ['n3', 'n4'], 3n)
  told.append('n5', 2, 'batch term 3')
  told.tell({ at: told.at, type: 'fault', fault: 'isolate', id: 4, what: 'isolate n5', nodes: ['n5'] }).wait(20)
  told.life('started', 'n1').wait(300).elect('n1', ['n2', 'n3'], 4n)
  told.message('n1', 'n3', 'append 2..3 term 4').append('n3', 2, 'batch term 2').append('n3', 3, 'reign term 4')
  told.message('n3', 'n1', 'append reply ok match 2 term 4')
  told.tell({ at: told.at, type: 'decided', node: 'n1', position: 2, what: 'batch term 2' })
  told.tell({ at: told.at, type: 'returned', client: 1, operation: 1, what: 'ok' }).wait(15)
  told.life('crashed', 'n1', 'power')
  told.tell({ at: told.at, type: 'fault', fault: 'isolate', id: 4, what: 'isolate n5', nodes: ['n5'], ends: true })
  told.wait(500).elect('n5', ['n2', 'n3', 'n4'], 5n)
  for (const to of ['n2', 'n3', 'n4']) {
    told.message('n5', to, 'append 2 term 5')
    if (to !== 'n4') told.tell({ at: told.at, type: 'truncated', node: to, slot: 2 })
    told.append(to, 2, 'batch term 3').message(to, 'n5', 'append reply ok match 2 term 5')
  }
  told.tell({ at: told.at, type: 'decided', node: 'n5', position: 2, what: 'batch term 3' })
  told.tell({
    at: told.at,
    type: 'violation',
    invariant: 'agreement',
    what: 'two values are decided at position 2: n1 decided a batch of term 2, n5 one of term 3',
    nodes: ['n1', 'n5'],
  })
  return { nodes, clients: 1, events: told.events }
}

/** The same with much that has nothing to do with it, as in a run that was not shrunk. */
export const noisyFigure8 = (): Trace => {
  const { nodes, clients, events } = figure8()
  const noise: TraceEvent[] = []
  for (let at = 0; at < 1500; at += 3) {
    const slot = 100 + at
    noise.push(
      { at, type: 'invoked', client: 2, operation: at, what: `get y${at}` },
      { at, type: 'appended', node: 'n4', slot, what: 'batch term 1' },
      { at, type: 'sent', id: 10_000 + at, from: 'n4', to: 'n2', what: `append ${slot} term 1` },
      { at: at + 1, type: 'received', id: 10_000 + at, from: 'n4', to: 'n2', what: `append ${slot} term 1` },
      { at: at + 1, type: 'durable', node: 'n2', write: at + 1 },
      { at: at + 1, type: 'returned', client: 2, operation: at, what: 'not found' },
    )
  }
  const last = events.at(-1)?.at ?? 0
  const all = [...noise.filter(({ at }) => at < last), ...events]
  return { nodes: [...nodes, 'n6'], clients: clients + 1, events: all.sort((a, b) => a.at - b.at) }
}
