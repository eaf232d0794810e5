import type { MembershipChange, NodeId, Peer } from '@conclave/interface'
import type { ChangeOutcome } from '@conclave/replica'
import type { Cluster } from './cluster.ts'
import type { SimulatedNode } from './node.ts'
import type { Surroundings } from './surroundings.ts'

interface Task {
  readonly change: MembershipChange
  readonly node: SimulatedNode
  readonly until: number
}

const patienceMillis = 1_500
const retryMillis = 40
/** Without an answer for so long, it is asked again, or the next change is tried. */
const impatienceMillis = 120

/** Whoever runs the cluster: changes its members, one change at a time, and replaces nodes that are gone. */
export class Operator {
  readonly #around: Surroundings
  readonly #cluster: Cluster
  readonly #tasks: Task[] = []
  #current: Task | undefined
  #ended = false

  constructor(around: Surroundings, cluster: Cluster) {
    this.#around = around
    this.#cluster = cluster
  }

  /** A member is being removed right now. */
  get removes(): boolean {
    return this.#current?.change.type === 'remove'
  }

  /** Takes no more tasks, and forgets those that have not begun. */
  end(): void {
    this.#ended = true
    this.#tasks.length = 0
  }

  change(change: MembershipChange, node: SimulatedNode): void {
    if (this.#ended) return
    this.#tasks.push({ change, node, until: this.#around.clock.now() + patienceMillis })
    this.#next()
  }

  add(node: SimulatedNode, role: 'voter' | 'learner'): void {
    this.change({ type: 'add', member: peerOf(node.id), role }, node)
  }

  /** A node whose disk is lost or damaged: its id is removed, and a spare takes its place. */
  replace(node: SimulatedNode): void {
    this.change({ type: 'remove', id: node.id }, node)
    const spare = this.#cluster.nodes.findLast(({ state }) => state === 'absent')
    if (spare !== undefined) this.add(spare, 'voter')
  }

  #next(): void {
    if (this.#current !== undefined) return
    this.#current = this.#tasks.shift()
    if (this.#current !== undefined) this.#attempt(this.#current)
  }

  #attempt(task: Task): void {
    const { clock } = this.#around
    const leader = this.#cluster.leader
    if (clock.now() > task.until || this.#ended) return this.#done(task, 'given up')
    // Somebody else may have been lost since it was asked for.
    const fit = this.#cluster.isFit(task.node)
    if (task.change.type === 'remove' && fit && !this.#cluster.mayRemove(task.node)) return this.#done(task, 'unwise')
    const again = (): void => {
      clock.after(retryMillis, () => this.#attempt(task))
    }
    if (leader?.serving === undefined || leader.gate.paused) return again()
    const { replica } = leader
    if (task.change.type === 'add' && task.node.state === 'absent') task.node.join(this.#cluster.membership)
    let answered = false
    const answer = (outcome: ChangeOutcome): void => {
      if (answered) return
      answered = true
      if (outcome.type === 'decided') this.#done(task, 'decided')
      else if (outcome.type === 'refused' && (outcome.reason === 'invalid' || outcome.reason === 'unsupported'))
        this.#done(task, outcome.reason)
      else again()
    }
    leader.serving.reconfigure(task.change, (outcome) => {
      if (leader.replica === replica) answer(outcome)
    })
    // Who does not hear asks again; that the change was made meanwhile is then told as `invalid`.
    clock.after(impatienceMillis, () => answer({ type: 'unknown' }))
  }

  #done({ change, node }: Task, outcome: string): void {
    this.#current = undefined
    this.#around.tell({ type: 'changed', node: node.id, change: change.type, outcome })
    this.#next()
  }
}

const peerOf = (id: NodeId): Peer => ({ id, name: id, addresses: [] })
