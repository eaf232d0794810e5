import {
  type AdmissionId,
  type CallId,
  type Cancel,
  type Clock,
  copyBytes,
  type Epoch,
  type LeaderInfo,
  MalformedBytes,
  type NodeId,
  type Random,
  type Refusal,
  type Service,
  type ServiceEffects,
  type ServiceInput,
  type StateMachine,
  sessionCommands,
  sessionsMachine,
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
  /** Of the blocks that wait for one service; beyond it: `overloaded`. */
  readonly queuedBytes: number
  /** The machines may be looked at. */
  readonly ready: () => boolean
  /** Past all admissions. `under`: the only reign that the block may be proposed in. */
  readonly submit: (block: Uint8Array, done: BlockDone, under?: Epoch) => void
  readonly confirm: (done: ReadDone) => void
  readonly refusal: (reason: Refusal) => Refused
  /** A service threw: an invariant does not hold. */
  readonly failed: (error: unknown) => void
}

type Refused = Extract<AskOutcome, { readonly type: 'refused' }>

const tickMillis = 50
/** Bytes that are counted for a waiting block besides its own. */
const waitingOverhead = 1024
const costOf = (block: Uint8Array): number => block.length + waitingOverhead

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
    const host = this.#hosts.get(machine)
    const ready = !this.#stopped && this.#init.ready()
    if (host !== undefined && ready) return host.ask(principal, request, done)
    let waits = true
    this.#init.clock.defer(() => {
      if (waits) done(this.#init.refusal(ready ? 'unsupported' : 'not-ready'))
    })
    return () => {
      waits = false
    }
  }

  /**
   * Passes the block on; if a service has to let its command in, once it did. One such command at most: another might have to wait for what becomes of the first.
   * @param block is judged by whoever takes it; a malformed one is passed on to be refused.
   */
  submit(block: Uint8Array, principal: string, done: BlockDone): void {
    const [guarded, another] = this.#hosts.size === 0 ? [] : this.#guarded(block)
    if (guarded === undefined) this.#init.submit(block, done)
    else if (another === undefined && guarded !== 'forbidden')
      guarded.host.admit(block, principal, guarded.command, done)
    else this.#init.clock.defer(() => done(this.#init.refusal('invalid')))
  }

  /** The commands for machines with a service, and those that only a node itself may propose. */
  #guarded(block: Uint8Array): readonly ({ readonly host: Host; readonly command: Uint8Array } | 'forbidden')[] {
    const found: ({ readonly host: Host; readonly command: Uint8Array } | 'forbidden')[] = []
    try {
      visitBlock(block, (_serial, machine, command) => {
        const host = this.#hosts.get(machine)
        if (host !== undefined) found.push({ host, command })
        else if (machine === sessionsMachine && command[0] === sessionCommands.openOwn) found.push('forbidden')
      })
    } catch (error) {
      if (error instanceof MalformedBytes) return []
      throw error
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
    const reigning = [...this.#hosts.values()].filter((host) => host.reigns)
    for (const host of reigning) host.tick()
    if (reigning.length > 0 && !this.#stopped) this.#tick = this.#init.clock.after(tickMillis, this.#ticked)
  }

  leaderChanged({ epoch, id }: LeaderInfo): void {
    for (const host of this.#hosts.values()) if (id !== this.#init.self || epoch !== host.epoch) host.depose()
  }

  /** Whoever waits is told. */
  stop(): void {
    this.#stopped = true
    this.#tick?.()
    this.#tick = undefined
    for (const host of this.#hosts.values()) host.stop()
  }
}

interface Call {
  readonly done: AskDone
  answered: boolean
}

/** A block whose command waits to be let in. */
interface WaitingBlock {
  readonly block: Uint8Array
  readonly done: BlockDone
}

/** One service. Inputs that come while it is stepped wait, so that it is never entered twice. */
class Host {
  readonly #init: ServicesInit
  readonly #service: Service
  readonly #commands: OwnCommands
  readonly #calls = new Map<CallId, Call>()
  readonly #waiting = new Map<AdmissionId, WaitingBlock>()
  #waitingBytes = 0
  #inputs: ServiceInput[] = []
  #running = false
  #failed = false
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
    if (this.reigns) this.stop()
  }

  /** The same, whether it reigns or not. */
  stop(): void {
    const { reigns } = this
    this.epoch = undefined
    this.#commands.leads(false)
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    this.#waitingBytes = 0
    const calls = [...this.#calls.keys()]
    if (reigns) this.step({ type: 'deposed' })
    for (const { done } of waiting) this.#refuse(done)
    for (const call of calls) this.#answer(call, this.#notServing())
  }

  tick(): void {
    this.step({ type: 'tick' })
    this.#commands.pump()
  }

  ask(principal: string, request: Uint8Array, done: AskDone): () => void {
    const call = this.#next++
    this.#calls.set(call, { done, answered: false })
    const outer = this.#asking
    this.#asking = call
    this.step({ type: 'ask', call, principal, request })
    this.#asking = outer
    return () => {
      const withdrawn = this.#calls.get(call)
      this.#calls.delete(call)
      if (withdrawn?.answered === false) this.step({ type: 'withdrawn', call })
    }
  }

  admit(block: Uint8Array, principal: string, command: Uint8Array, done: BlockDone): void {
    if (!this.reigns) return this.#refuse(done)
    if (this.#waitingBytes + costOf(block) > this.#init.queuedBytes)
      return this.#refuse(done, this.#init.refusal('overloaded'))
    const admission = this.#next++
    // Copies: they may wait for long, and are views on a whole frame.
    this.#waiting.set(admission, { block: copyBytes(block), done })
    this.#waitingBytes += costOf(block)
    this.step({ type: 'admit', admission, principal, command: copyBytes(command) })
  }

  step(input: ServiceInput): void {
    this.#inputs.push(input)
    if (this.#running || this.#failed) return
    this.#running = true
    try {
      this.#run()
    } catch (error) {
      this.#failed = true
      this.#init.failed(error)
    } finally {
      this.#running = false
    }
  }

  #run(): void {
    while (this.#inputs.length > 0) {
      const inputs = this.#inputs
      this.#inputs = []
      const now = this.#init.clock.now()
      for (const input of inputs) this.#service.step(input, now)
      this.#perform(this.#service.drain())
    }
  }

  #perform({ answers, admitted, confirm, propose }: ServiceEffects): void {
    // What was let in before the service proposed to end something must not come after that end.
    for (const { admission, refused } of admitted) this.#admitted(admission, refused)
    for (const command of propose) this.#commands.add(command)
    if (confirm !== undefined) this.#confirm(confirm)
    for (const answer of answers)
      this.#answer(
        answer.call,
        'reply' in answer ? { type: 'reply', bytes: answer.reply } : this.#init.refusal(answer.refused),
      )
  }

  #answer(id: CallId, outcome: AskOutcome): void {
    const call = this.#calls.get(id)
    if (call === undefined || call.answered) return
    call.answered = true
    const tell = (): void => {
      if (this.#calls.delete(id)) call.done(outcome)
    }
    if (id === this.#asking) this.#init.clock.defer(tell)
    else tell()
  }

  #confirm(round: number): void {
    const { epoch } = this
    this.#init.confirm((outcome) => {
      if (epoch === undefined || this.epoch !== epoch) return
      this.step({ type: 'confirmed', round, reigns: outcome.type === 'ready' })
    })
  }

  #admitted(admission: AdmissionId, refused: Refusal | undefined): void {
    const waiting = this.#waiting.get(admission)
    if (waiting === undefined) return
    const { block, done } = waiting
    this.#waiting.delete(admission)
    this.#waitingBytes -= costOf(block)
    if (refused !== undefined) return this.#refuse(done, this.#init.refusal(refused))
    const { epoch } = this
    const settled: BlockDone = (outcome) => {
      // A later reign has never heard of it.
      if (epoch === this.epoch) this.step({ type: 'settled', admission, outcome: settledAs(outcome) })
      done(outcome)
    }
    this.#init.submit(block, settled, epoch)
  }

  #refuse(done: BlockDone, outcome = this.#notServing()): void {
    this.#init.clock.defer(() => done(outcome))
  }

  /** To be tried elsewhere, or here a little later: whoever was elected serves once its reign is applied. */
  #notServing(): Refused {
    const refusal = this.#init.refusal('not-leader')
    return refusal.leader === this.#init.self ? this.#init.refusal('not-ready') : refusal
  }
}

const settledAs = ({ type }: BlockOutcome): 'applied' | 'refused' | 'unknown' => (type === 'replies' ? 'applied' : type)
