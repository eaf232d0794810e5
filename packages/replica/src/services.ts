import {
  type AdmissionId,
  type CallId,
  type Cancel,
  type Clock,
  type Epoch,
  type LeaderInfo,
  type NodeId,
  type Random,
  type Refusal,
  type Service,
  type ServiceInput,
  type StateMachine,
  visitBlock,
} from '@conclave/interface'
import { OwnCommands } from './own-commands.ts'
import type { BlockDone, BlockOutcome } from './proposals.ts'
import type { ReadDone } from './reads.ts'

/** The answer of a service. */
export type AskOutcome =
  | { readonly type: 'reply'; readonly bytes: Uint8Array }
  /** Definite for this attempt. `leader`: where to go instead, if known. */
  | { readonly type: 'refused'; readonly reason: Refusal; readonly leader?: NodeId }

export type AskDone = (outcome: AskOutcome) => void

export interface ServicesInit {
  readonly self: NodeId
  /** Numbered from 1. */
  readonly machines: readonly StateMachine[]
  readonly clock: Clock
  readonly random: Random
  /** Past all admissions. */
  readonly submit: (block: Uint8Array, done: BlockDone) => void
  readonly confirm: (done: ReadDone) => void
  readonly refusal: (reason: Refusal) => BlockOutcome & AskOutcome
  /** A service threw: an invariant does not hold. */
  readonly failed: (error: unknown) => void
}

const tickMillis = 50

/** A block of which some command waits to be admitted. */
interface Gate {
  readonly block: Uint8Array
  readonly done: BlockDone
  readonly admissions: { readonly host: Host; readonly id: AdmissionId }[]
  waiting: number
  over: boolean
}

/** What a replica does for the services of its machines: it feeds them, and does what they ask. */
export class Services {
  readonly #init: ServicesInit
  readonly #hosts = new Map<number, Host>()
  #tick: Cancel | undefined
  #stopped = false

  constructor(init: ServicesInit) {
    this.#init = init
    for (const [at, made] of init.machines.entries()) {
      const service = made.service?.()
      if (service !== undefined) this.#hosts.set(at + 1, new Host(init, at + 1, service))
    }
  }

  ask(machine: number, principal: string, request: Uint8Array, done: AskDone): () => void {
    const host = this.#stopped ? undefined : this.#hosts.get(machine)
    if (host !== undefined) return host.ask(principal, request, done)
    const reason = this.#stopped ? 'not-ready' : 'unsupported'
    this.#init.clock.defer(() => done(this.#init.refusal(reason)))
    return () => {}
  }

  /** Passes the block on once all its commands are admitted. @param block has passed `checkBlock`, or will be refused for it. */
  submit(block: Uint8Array, principal: string, done: BlockDone): void {
    const guarded = this.#hosts.size === 0 ? [] : this.#guarded(block)
    if (guarded.length === 0) return this.#init.submit(block, done)
    const closed = guarded.find(({ host }) => !host.reigns)
    if (closed !== undefined) {
      this.#init.clock.defer(() => done(this.#init.refusal('not-leader')))
      return
    }
    const gate: Gate = { block, done, admissions: [], waiting: guarded.length, over: false }
    for (const { host, command } of guarded) gate.admissions.push({ host, id: host.admit(gate, principal, command) })
    for (const { host } of gate.admissions) host.run()
  }

  #guarded(block: Uint8Array): { readonly host: Host; readonly command: Uint8Array }[] {
    const found: { host: Host; command: Uint8Array }[] = []
    try {
      visitBlock(block, (_serial, machine, command) => {
        const host = this.#hosts.get(machine)
        if (host !== undefined) found.push({ host, command })
      })
    } catch {
      return [] // malformed: whoever takes it says so
    }
    return found
  }

  /** Something was applied, or restored. */
  applied(): void {
    for (const host of this.#hosts.values()) host.step({ type: 'applied' })
  }

  /** A reign was applied. @param led whether this node leads under it now. */
  reigned(epoch: Epoch, led: boolean): void {
    if (this.#hosts.size === 0 || !led || this.#stopped) return
    for (const host of this.#hosts.values()) host.begin(epoch)
    this.#tick ??= this.#init.clock.after(tickMillis, this.#ticked)
  }

  readonly #ticked = (): void => {
    this.#tick = undefined
    let reigns = false
    for (const host of this.#hosts.values()) {
      if (!host.reigns) continue
      reigns = true
      host.tick()
    }
    if (reigns && !this.#stopped) this.#tick = this.#init.clock.after(tickMillis, this.#ticked)
  }

  leaderChanged({ epoch, id }: LeaderInfo): void {
    for (const host of this.#hosts.values()) if (id !== this.#init.self || epoch !== host.epoch) host.depose()
  }

  /** Whoever waits is told. */
  stop(): void {
    this.#stopped = true
    this.#tick?.()
    this.#tick = undefined
    for (const host of this.#hosts.values()) host.depose()
  }
}

/** One service. Inputs that come while it is stepped wait, so that it is never entered twice. */
class Host {
  readonly #init: ServicesInit
  readonly #service: Service
  readonly #commands: OwnCommands
  readonly #calls = new Map<CallId, AskDone>()
  readonly #gates = new Map<AdmissionId, Gate>()
  #inputs: ServiceInput[] = []
  #running = false
  #next = 1
  /** The call that is being made: its answer waits until the caller knows of it. */
  #asking: CallId | undefined
  /** Of the reign that the service serves. */
  epoch: Epoch | undefined

  constructor(init: ServicesInit, machine: number, service: Service) {
    this.#init = init
    this.#service = service
    const { random, submit } = init
    this.#commands = new OwnCommands({ machine, random, submit })
  }

  get reigns(): boolean {
    return this.epoch !== undefined
  }

  begin(epoch: Epoch): void {
    this.depose()
    this.epoch = epoch
    this.step({ type: 'reigns', epoch })
    this.#commands.leads(true)
  }

  /** Settles everything that waits: whoever leads next does not know of it. */
  depose(): void {
    if (!this.reigns) return
    this.epoch = undefined
    this.#commands.leads(false)
    const gates = new Set(this.#gates.values())
    const calls = [...this.#calls.values()]
    this.#gates.clear()
    this.#calls.clear()
    this.step({ type: 'deposed' })
    for (const gate of gates) this.#end(gate, 'not-leader')
    for (const done of calls) done(this.#init.refusal('not-leader'))
  }

  tick(): void {
    this.step({ type: 'tick' })
    this.#commands.pump()
  }

  ask(principal: string, request: Uint8Array, done: AskDone): () => void {
    const call = this.#next++
    this.#calls.set(call, done)
    this.#asking = call
    this.step({ type: 'ask', call, principal, request })
    this.#asking = undefined
    return () => {
      if (this.#calls.delete(call)) this.step({ type: 'withdrawn', call })
    }
  }

  /** To be followed by `run`. */
  admit(gate: Gate, principal: string, command: Uint8Array): AdmissionId {
    const admission = this.#next++
    this.#gates.set(admission, gate)
    this.#inputs.push({ type: 'admit', admission, principal, command })
    return admission
  }

  step(input: ServiceInput): void {
    this.#inputs.push(input)
    this.run()
  }

  run(): void {
    if (this.#running) return
    this.#running = true
    try {
      while (this.#inputs.length > 0) {
        const inputs = this.#inputs
        this.#inputs = []
        const now = this.#init.clock.now()
        for (const input of inputs) this.#service.step(input, now)
        this.#perform()
      }
    } catch (error) {
      this.#init.failed(error)
    } finally {
      this.#running = false
    }
  }

  #perform(): void {
    const { answers, admitted, confirm, propose } = this.#service.drain()
    for (const command of propose) this.#commands.add(command)
    for (const { admission, refused } of admitted) this.#admitted(admission, refused)
    if (confirm !== undefined) this.#confirm(confirm)
    for (const answer of answers) {
      const done = this.#calls.get(answer.call)
      if (done === undefined) continue
      this.#calls.delete(answer.call)
      const outcome: AskOutcome =
        'reply' in answer ? { type: 'reply', bytes: answer.reply } : this.#init.refusal(answer.refused)
      if (answer.call === this.#asking) this.#init.clock.defer(() => done(outcome))
      else done(outcome)
    }
  }

  #confirm(round: number): void {
    const { epoch } = this
    this.#init.confirm((outcome) => {
      if (epoch === undefined || this.epoch !== epoch) return
      this.step({ type: 'confirmed', round, reigns: outcome.type === 'ready' })
    })
  }

  #admitted(admission: AdmissionId, refused: Refusal | undefined): void {
    const gate = this.#gates.get(admission)
    this.#gates.delete(admission)
    if (gate === undefined || gate.over) return
    if (refused !== undefined) return this.#end(gate, refused)
    gate.waiting -= 1
    if (gate.waiting > 0) return
    gate.over = true
    this.#init.submit(gate.block, (outcome) => {
      for (const { host, id } of gate.admissions) host.settled(id, outcome)
      gate.done(outcome)
    })
  }

  /** The block goes nowhere. */
  #end(gate: Gate, reason: Refusal): void {
    if (gate.over) return
    gate.over = true
    this.#init.clock.defer(() => {
      for (const { host, id } of gate.admissions) host.settled(id, this.#init.refusal(reason))
      gate.done(this.#init.refusal(reason))
    })
  }

  settled(admission: AdmissionId, { type }: BlockOutcome): void {
    this.#gates.delete(admission)
    if (this.reigns)
      this.step({
        type: 'settled',
        admission,
        outcome: type === 'replies' ? 'applied' : type === 'refused' ? 'refused' : 'unknown',
      })
  }
}
