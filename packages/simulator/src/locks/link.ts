import type { Random } from '@conclave/interface'
import type { Replica } from '@conclave/replica'
import type { SimulatedNode } from '../node.ts'
import type { Gate } from '../process-clock.ts'
import { between } from '../streams.ts'
import type { Surroundings } from '../surroundings.ts'

export interface LinkInit {
  readonly around: Surroundings
  readonly random: Random
  readonly node: SimulatedNode
  /** Of the client's process. */
  readonly gate: Gate
  /** The client's process lives, and is not cut off from the cluster. */
  readonly reachable: () => boolean
  /** The client learns that the link is gone. */
  readonly broken: (link: Link) => void
}

const pollMillis = 25

/** A connection of a client to one life of a node, as TCP has it: in order, nothing is lost but with the whole link, and each side learns of that in its own time. */
export class Link {
  readonly node: SimulatedNode
  readonly #init: LinkInit
  readonly #life: number
  #toServer = 0
  #toClient = 0
  open = true
  /** Something was lost on the way: nothing that comes later may arrive. */
  #torn = false
  /** Told once, when the node's side sees that the client is gone. */
  readonly #gone = new Set<() => void>()

  constructor(init: LinkInit) {
    this.#init = init
    this.node = init.node
    this.#life = init.node.lives
    this.#poll()
  }

  get #alive(): boolean {
    return this.node.serving !== undefined && this.node.lives === this.#life
  }

  get #passes(): boolean {
    return this.open && !this.#torn && this.#alive && this.#init.reachable()
  }

  /** Whoever sends into a link that is cut, or whose other end is gone, learns of it after a while. */
  #poll(): void {
    const { around, random } = this.#init
    around.clock.after(pollMillis, () => {
      if (!this.open) return
      if (this.#passes) return this.#poll()
      this.open = false
      const noticed = this.#alive ? between(random, 100, 400) : between(random, 1, 20)
      this.#init.gate.after(noticed, () => this.#init.broken(this))
      around.clock.after(between(random, 100, 500), () => {
        for (const gone of this.#gone) gone()
        this.#gone.clear()
      })
    })
  }

  send(arrive: (replica: Replica) => void): void {
    const { around, random } = this.#init
    const now = around.clock.now()
    this.#toServer = Math.max(this.#toServer, now + between(random, 0.1, 3))
    around.clock.after(this.#toServer - now, () =>
      this.node.gate.after(0, () => {
        const { serving } = this.node
        if (this.#arrives() && serving !== undefined) arrive(serving)
      }),
    )
  }

  reply(arrive: () => void): void {
    const { around, random, gate } = this.#init
    const now = around.clock.now()
    this.#toClient = Math.max(this.#toClient, now + between(random, 0.1, 3))
    around.clock.after(this.#toClient - now, () =>
      gate.after(0, () => {
        if (this.#arrives()) arrive()
      }),
    )
  }

  /** Whether what is on its way gets there. If it does not, nothing that comes later may. */
  #arrives(): boolean {
    this.#torn ||= !this.#passes
    return !this.#torn
  }

  /** Returns what forgets it. */
  whenGone(run: () => void): () => void {
    this.#gone.add(run)
    return () => this.#gone.delete(run)
  }

  close(): void {
    this.open = false
  }
}
