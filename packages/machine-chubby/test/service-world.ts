/** The parts of a world in which the session service is tried at random: draws, a leader with its log, and sessions as clients hold them. */
import { type Epoch, epoch, type Monotonic, type Refusal, type ServiceInput, seededRandom } from '@conclave/interface'
import {
  type CallReply,
  type ChubbyCall,
  type ChubbyCommand,
  type CommandReply,
  decodeCallReply,
  decodeCommand,
  encodeCall,
  encodeCommand,
  type FileContents,
  type NumberedNotice,
  sessionService,
} from '../src/index.ts'
import { Cell } from './cell.ts'

/** Draws of one seed. */
export class Draw {
  readonly #random: ReturnType<typeof seededRandom>

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  /** An integer from `least` to `most`. */
  between(least: number, most: number): number {
    return least + Math.floor(this.#random.next() * (most - least + 1))
  }

  chance(probability: number): boolean {
    return this.#random.next() < probability
  }

  pick<T>(from: readonly [T, ...T[]]): T {
    return from[this.between(0, from.length - 1)] ?? from[0]
  }
}

/** What is to happen later, in the order of its time. */
export class Schedule {
  #now = 0
  #later: { readonly at: number; readonly run: () => void }[] = []

  get now(): number {
    return this.#now
  }

  after(millis: number, run: () => void): void {
    const at = this.#now + millis
    const next = this.#later.findIndex((each) => each.at > at)
    this.#later.splice(next < 0 ? this.#later.length : next, 0, { at, run })
  }

  pass(millis: number): void {
    const end = this.#now + millis
    for (let next = this.#later[0]; next !== undefined && next.at <= end; next = this.#later[0]) {
      this.#later.shift()
      this.#now = Math.max(this.#now, next.at)
      next.run()
    }
    this.#now = end
  }
}

// ---- the leader -------------------------------------------------------------------------------------------------------------------------

/** What became of a client's command. `unknown`: it may have been applied, or may yet be. */
export type Outcome = 'applied' | 'refused' | 'unknown'
export type CommandDone = (outcome: Outcome, reply?: CommandReply) => void

interface Waiting {
  readonly principal: string
  readonly command: ChubbyCommand
  readonly done: CommandDone
}

interface Admitted extends Waiting {
  readonly type: 'admitted'
  readonly admission: number
  /** The reign that let it in. */
  readonly under: Epoch
  /** Its client, and the service, were told that nobody knows. */
  unknown: boolean
}

/** What stands in the log, and is not applied yet. */
export type Entry = Admitted | { readonly type: 'own'; readonly command: ChubbyCommand }

export type Answered = (answer: CallReply | 'not-leader', number: number) => void

interface Call {
  readonly session: bigint | undefined
  readonly principal: string
  readonly answered: Answered
}

export interface LeaderInit {
  readonly draw: Draw
  readonly schedule: Schedule
  /** How often the log refuses at once what was let in. */
  readonly refusals: () => number
  /** How often a command of the service's own is put into the log only with the next tick. */
  readonly delays: number
  readonly letIn: (command: ChubbyCommand, principal: string) => void
  readonly answering: (reply: CallReply, session: bigint | undefined, principal: string) => void
  readonly applying: (entry: Entry) => void
  readonly applied: (entry: Entry, reply: CommandReply) => void
}

/** The node with the service, driven as a replica drives it, and its log: a queue that is applied when it is told to. */
export class Leader {
  readonly cell = new Cell()
  readonly #service = sessionService(this.cell.view)
  readonly #init: LeaderInit
  readonly #calls = new Map<number, Call>()
  readonly #waiting = new Map<number, Waiting>()
  /** Of the service's own, and not decided. They outlive the reign. */
  readonly #own = new Set<ChubbyCommand>()
  #log: Entry[] = []
  #inputs: ServiceInput[] = []
  #running = false
  #next = 1
  /** Of what was answered. */
  answers = 0
  round: number | undefined
  /** Undefined: it does not lead. */
  epoch: Epoch | undefined
  /** It has lost its reign, though it does not know yet: nothing more comes into the log. */
  #lost = false

  constructor(init: LeaderInit) {
    this.#init = init
  }

  get logged(): number {
    return this.#log.length
  }
  get undecided(): number {
    return this.#own.size
  }
  /** Commands that wait to be let in. */
  get waiting(): readonly ChubbyCommand[] {
    return [...this.#waiting.values()].map(({ command }) => command)
  }
  get unanswered(): readonly (bigint | undefined)[] {
    return [...this.#calls.values()].map(({ session }) => session)
  }

  #step(input: ServiceInput): void {
    this.#inputs.push(input)
    if (this.#running) return
    this.#running = true
    while (this.#inputs.length > 0) {
      for (const each of this.#inputs.splice(0)) this.#service.step(each, this.#init.schedule.now as Monotonic)
      this.#perform()
    }
    this.#running = false
  }

  #perform(): void {
    const { answers, admitted, confirm, propose } = this.#service.drain()
    for (const { admission, refused } of admitted) this.#admitted(admission, refused)
    for (const bytes of propose) this.#proposed(decodeCommand(bytes))
    if (confirm !== undefined) this.round = confirm
    for (const answer of answers)
      this.#answer(answer.call, 'reply' in answer ? decodeCallReply(answer.reply) : 'not-leader')
  }

  #admitted(admission: number, refused: Refusal | undefined): void {
    const waiting = this.#waiting.get(admission)
    const { epoch } = this
    if (waiting === undefined || epoch === undefined) throw new Error('what was let in did not wait')
    this.#waiting.delete(admission)
    if (refused !== undefined) return this.#tell(waiting, 'refused')
    const { draw, refusals, letIn } = this.#init
    letIn(waiting.command, waiting.principal)
    if (this.#lost || draw.chance(refusals())) {
      this.#step({ type: 'settled', admission, outcome: 'refused' })
      this.#tell(waiting, 'refused')
    } else this.#log.push({ ...waiting, type: 'admitted', admission, under: epoch, unknown: false })
  }

  /** Not at once: the service has taken it in by then. */
  #tell({ done }: Waiting, outcome: Outcome, reply?: CommandReply): void {
    this.#init.schedule.after(1, () => done(outcome, reply))
  }

  #proposed(command: ChubbyCommand): void {
    this.#own.add(command)
    if (!this.#lost && !this.#init.draw.chance(this.#init.delays)) this.#log.push({ type: 'own', command })
  }

  #answer(id: number, answer: CallReply | 'not-leader'): void {
    const call = this.#calls.get(id)
    if (call === undefined) return
    this.#calls.delete(id)
    if (answer !== 'not-leader') this.#init.answering(answer, call.session, call.principal)
    call.answered(answer, ++this.answers)
  }

  // ---- what clients want ----------------------------------------------------------------------------------------------------------------

  /** @returns what withdraws it. */
  ask(principal: string, request: ChubbyCall | Uint8Array, answered: Answered): () => void {
    const call = this.#next++
    const session = 'session' in request ? request.session : undefined
    this.#calls.set(call, { session, principal, answered })
    const bytes = request instanceof Uint8Array ? request : encodeCall(request)
    this.#step({ type: 'ask', call, principal, request: bytes })
    return () => {
      if (this.#calls.delete(call)) this.#step({ type: 'withdrawn', call })
    }
  }

  admit(principal: string, command: ChubbyCommand, done: CommandDone): void {
    const waiting = { principal, command, done }
    if (this.epoch === undefined) return this.#tell(waiting, 'refused')
    const admission = this.#next++
    this.#waiting.set(admission, waiting)
    this.#step({ type: 'admit', admission, principal, command: encodeCommand(command) })
  }

  // ---- what happens to it -----------------------------------------------------------------------------------------------------------------

  tick(): void {
    if (this.epoch === undefined) return
    this.#step({ type: 'tick' })
    this.#pump()
  }

  #pump(): void {
    if (this.#lost) return
    const logged = new Set(this.#log.map(({ command }) => command))
    for (const command of this.#own) if (!logged.has(command)) this.#log.push({ type: 'own', command })
  }

  confirm(reigns: boolean): void {
    const { round } = this
    if (round === undefined || this.epoch === undefined) return
    this.round = undefined
    this.#step({ type: 'confirmed', round, reigns })
  }

  /** Applies so many entries at most, as one batch: who waits is told once all are applied. */
  apply(most: number): void {
    const batch = this.#log.splice(0, most)
    if (batch.length === 0) return
    const replies = batch.map((entry) => this.#apply(entry))
    for (const [at, entry] of batch.entries()) {
      if (entry.type === 'own' || entry.unknown || entry.under !== this.epoch) continue
      this.#step({ type: 'settled', admission: entry.admission, outcome: 'applied' })
      this.#tell(entry, 'applied', replies[at])
    }
    this.#step({ type: 'applied' })
  }

  #apply(entry: Entry): CommandReply {
    this.#own.delete(entry.command)
    this.cell.time = this.#init.schedule.now
    this.#init.applying(entry)
    const reply = this.cell.apply(entry.command)
    this.#init.applied(entry, reply)
    return reply
  }

  /** It is about to be deposed: of what it let in last nobody knows what becomes, and what it lets in from now on comes to nothing. */
  lose(): void {
    if (this.epoch === undefined) return
    this.#lost = true
    const late = this.#log.slice(this.#init.draw.between(0, this.#log.length))
    for (const entry of late) {
      if (entry.type === 'own' || entry.under !== this.epoch) continue
      entry.unknown = true
      this.#step({ type: 'settled', admission: entry.admission, outcome: 'unknown' })
      this.#tell(entry, 'unknown')
    }
  }

  depose(): void {
    if (this.epoch === undefined) return
    this.epoch = undefined
    this.round = undefined
    this.#step({ type: 'deposed' })
    for (const waiting of this.#waiting.values()) this.#tell(waiting, 'refused')
    this.#waiting.clear()
    for (const entry of this.#log) if (entry.type === 'admitted' && !entry.unknown) this.#tell(entry, 'unknown')
    for (const call of [...this.#calls.keys()]) this.#answer(call, 'not-leader')
  }

  /** Of what still stood in the log a part is applied, and the rest is gone for ever; but what was the service's own comes again. */
  reign(number: bigint): void {
    this.apply(this.#init.draw.between(0, this.#log.length))
    this.#log = []
    this.cell.reign(number)
    this.epoch = epoch(number)
    this.#lost = false
    this.#step({ type: 'reigns', epoch: epoch(number) })
    this.#pump()
  }
}

// ---- a client's side --------------------------------------------------------------------------------------------------------------------

/** How a client deals with what it is told: `deaf` acts on nothing and acknowledges nothing, `silent` is gone, though what it holds may still be read for as long as its lease lasts. */
export type Manner = 'prompt' | 'late' | 'deaf' | 'silent'

/** What clients send, and hear, some time later. */
export interface Wire {
  readonly schedule: Schedule
  readonly draw: Draw
  /** @param arrived it has reached the leader. @returns what withdraws it. */
  ask(principal: string, call: ChubbyCall, answered: Answered, arrived?: () => void): () => void
  command(principal: string, command: ChubbyCommand, done: CommandDone): void
  readonly mark: (name: string) => void
}

interface Ticket {
  readonly path: string
  spoilt: boolean
}

/** A session as its client knows it: its lease by what it was told, and its cache. */
export class ClientSession {
  readonly id: bigint
  readonly principal: string
  readonly lease: number
  readonly #wire: Wire
  state: 'creating' | 'live' | 'over' = 'creating'
  manner: Manner
  /** Until when its lease lasts: no less than a client would believe. */
  deadline = 0
  /** What it holds of each path: the file, or that there is none. */
  readonly cache = new Map<string, FileContents | undefined>()
  /** Of its calls, those that have not reached the leader yet. */
  travelling = 0
  /** Commands of its client that nothing was heard of yet. */
  commands = 0
  /** Those who want it ended by other ways than its own, and do not know yet what became of that. */
  ends = 0
  /** Such an end was asked for, from when on its cache is nobody's concern, until it is told anew: by an answer after this one, of this reign or a later. */
  #forfeit: { readonly answer: number; readonly epoch: Epoch } | undefined
  readonly #tickets = new Set<Ticket>()
  #epoch = epoch(0n)
  #acked = 0
  #good = true
  #asking: object | undefined
  #giveUp: () => void = () => {}

  constructor(wire: Wire, id: bigint, principal: string, lease: number, manner: Manner) {
    this.#wire = wire
    this.id = id
    this.principal = principal
    this.lease = lease
    this.manner = manner
    this.#create(wire.schedule.now)
  }

  #create(askedAt: number): void {
    const { id: session, principal, lease } = this
    this.#wire.command(principal, { type: 'createSession', session, principal, lease }, (outcome, reply) => {
      if (this.state !== 'creating') return
      if (outcome === 'applied' && reply?.status === 'done') this.#begin(askedAt + lease)
      else if (outcome === 'unknown')
        this.#wire.schedule.after(100, () => this.state === 'creating' && this.#create(askedAt))
      else this.over()
    })
  }

  #begin(deadline: number): void {
    this.state = 'live'
    this.deadline = deadline
    this.keepAlive()
  }

  over(): void {
    this.state = 'over'
    this.#asking = undefined
    this.#giveUp()
    this.#invalidate('')
  }

  /** What it told to be ended may yet be lost. @returns what says what became of it. */
  endedFromElsewhere(): (answer: number, epoch: Epoch) => void {
    this.ends += 1
    this.#forfeit ??= { answer: 0, epoch: epoch(0n) }
    return (answer, under) => {
      this.ends -= 1
      const { answer: last, epoch: latest } = this.#forfeit ?? { answer, epoch: under }
      this.#forfeit = { answer: Math.max(last, answer), epoch: under > latest ? under : latest }
    }
  }

  /** It may use its cache right now. */
  get trusts(): boolean {
    return this.hasLease && this.#good && this.#forfeit === undefined
  }
  get hasLease(): boolean {
    return this.state === 'live' && this.#wire.schedule.now < this.deadline
  }

  /** A lease that is over is noticed before anything else. */
  #look(): void {
    if (!this.#good || this.#wire.schedule.now < this.deadline) return
    this.#good = false
    this.#invalidate('')
  }

  #invalidate(path: string): void {
    for (const ticket of this.#tickets) if (path === '' || ticket.path === path) ticket.spoilt = true
    if (path === '') this.cache.clear()
    else this.cache.delete(path)
  }

  // ---- KeepAlives -----------------------------------------------------------------------------------------------------------------------

  /** One is under way: an older one it waits for no longer. */
  keepAlive(): void {
    if (this.state !== 'live' || this.manner === 'silent') return
    this.#giveUp()
    const { id: session, principal } = this
    const call: ChubbyCall = { type: 'keepAlive', session, epoch: this.#epoch, acked: this.#acked }
    const asking = {}
    this.#asking = asking
    const sentAt = this.#wire.schedule.now
    this.travelling += 1
    const answered: Answered = (answer, number) => {
      if (this.#asking !== asking || this.manner === 'silent') return
      this.#asking = undefined
      this.#answered(answer, sentAt, number)
    }
    this.#giveUp = this.#wire.ask(principal, call, answered, () => {
      this.travelling -= 1
    })
  }

  #answered(answer: CallReply | 'not-leader', sentAt: number, number: number): void {
    if (answer !== 'not-leader' && answer.type !== 'alive') return this.over()
    if (answer !== 'not-leader' && answer.epoch >= this.#epoch) this.#take(answer, sentAt, number)
    this.#wire.schedule.after(answer === 'not-leader' ? 80 : this.#pause(), () => this.#asking ?? this.keepAlive())
  }

  #pause(): number {
    if (this.manner === 'prompt') return 0
    return this.manner === 'deaf' ? 100 : this.#wire.draw.between(0, this.lease)
  }

  #take({ epoch, lease, heldFor, notices }: CallReply & { type: 'alive' }, sentAt: number, number: number): void {
    this.#look()
    if (epoch > this.#epoch) {
      this.#epoch = epoch
      this.#acked = 0
    }
    if (this.manner !== 'deaf') this.#act(notices)
    if (this.#forfeit !== undefined && this.ends === 0)
      if (number > this.#forfeit.answer && epoch >= this.#forfeit.epoch && this.manner !== 'deaf')
        this.#forfeit = undefined
    if (lease > 0) this.#extend(sentAt + heldFor + lease)
  }

  #act(notices: readonly NumberedNotice[]): void {
    for (const { serial, notice } of notices) {
      if (serial <= this.#acked) continue
      this.#acked = serial
      if (notice.type === 'failedOver' || notice.type === 'lost') this.#invalidate('')
      else if (notice.type === 'invalidate') {
        this.#wire.mark(notice.path === '' ? 'told to drop everything' : 'told to drop a path')
        this.#invalidate(notice.path)
      }
    }
  }

  #extend(deadline: number): void {
    if (deadline <= this.deadline) return
    this.deadline = deadline
    if (this.#wire.schedule.now < deadline) this.#good = true
  }

  // ---- reads ------------------------------------------------------------------------------------------------------------------------------

  /** @param done whether the answer may be kept, and whether it was one. */
  read(path: string, done: (cacheable: boolean, ok: boolean) => void): void {
    const ticket = { path, spoilt: false }
    this.#tickets.add(ticket)
    this.#read(ticket, done)
  }

  #read(ticket: Ticket, done: (cacheable: boolean, ok: boolean) => void): void {
    const { id: session, principal } = this
    const { path } = ticket
    this.#wire.ask(principal, { type: 'read', session, path }, (answer) => {
      this.#look()
      if (answer === 'not-leader' && this.state === 'live') {
        // The call is tried again, as a port does, under the same ticket.
        this.#wire.schedule.after(80, () => this.#read(ticket, done))
        return
      }
      this.#tickets.delete(ticket)
      if (answer === 'not-leader' || answer.type !== 'file') return done(false, false)
      if (ticket.spoilt) this.#wire.mark('a read was overtaken')
      if (answer.cacheable && !ticket.spoilt && this.state === 'live' && this.#good) {
        this.cache.set(path, answer.file)
        this.#wire.mark('an answer was kept')
      }
      done(answer.cacheable, true)
    })
  }
}
