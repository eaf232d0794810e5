import type { Epoch } from '@conclave/interface'
import { expect, test } from 'vitest'
import type { AclNames, CallReply, ChubbyCall, ChubbyCommand, FileContents, OpenCommand } from '../src/index.ts'
import { sessionOf } from '../src/service/commands.ts'
import { opening } from './cell.ts'
import {
  type Answered,
  ClientSession,
  type CommandDone,
  Draw,
  type Entry,
  Leader,
  type Manner,
  Schedule,
  type Wire,
} from './service-world.ts'

/** `SERVICE_SEED=n` begins elsewhere, `SERVICE_RUNS=n` runs more or fewer: `SERVICE_SEED=n SERVICE_RUNS=1` runs one alone. */
const first = Number(process.env.SERVICE_SEED ?? 1)
const count = Number(process.env.SERVICE_RUNS ?? 1000)

/** Milliseconds of each run in which everything may happen, and those that are left to come to rest. */
const [lively, settling] = [8000, 9000]
const stepMillis = 10

type Some = readonly [string, ...string[]]

/** What a world is about: the fewer files, the more often those who use them meet. */
interface Places {
  readonly files: Some
  readonly directories: Some
  readonly lists: Some
}

const everywhere: Places = {
  files: ['/ls/c/a', '/ls/c/b', '/ls/c/d/x', '/ls/c/d/e/y'],
  directories: ['/ls/c/d', '/ls/c/d/e'],
  lists: ['/ls/c/acl/l', '/ls/c/acl/m'],
}
const lists: Some = ['/ls/c/acl/l']
const inDirectory: Places = { files: ['/ls/c/d/x'], directories: ['/ls/c/d'], lists }
const deeper: Places = { files: ['/ls/c/d/e/y'], directories: ['/ls/c/d', '/ls/c/d/e'], lists }
const onLists: Places = { files: ['/ls/c/acl/l'], directories: ['/ls/c/d'], lists }
const single: Places = { files: ['/ls/c/d'], directories: ['/ls/c/d'], lists }
const ids = [1n, 2n, 3n, 4n, 5n, 6n] as const
const leases = [600, 1000, 1500] as const
const encoder = new TextEncoder()

/** How likely what is, in this seed: some worlds are calm, in others nearly everything goes wrong. */
class Temper {
  readonly acts: number
  readonly reads: number
  /** Commands that a session has on their way at most. */
  readonly commands: number
  readonly applies: number
  readonly confirms: number
  readonly reigns: number
  readonly slow: number
  readonly deposals: number
  readonly stops: number
  readonly refusals: number
  readonly losses: number
  readonly delays: number
  readonly strangers: number
  readonly lists: number
  readonly ends: number
  readonly ephemeral: number
  readonly directories: number
  readonly places: Places
  readonly poor: number

  constructor(draw: Draw) {
    this.acts = draw.pick([0.1, 0.5, 0.9])
    this.reads = draw.pick([0.3, 0.6, 0.9])
    this.commands = draw.pick([1, 2, 4, 10])
    this.applies = draw.pick([0.03, 0.05, 0.1, 0.6])
    this.confirms = draw.pick([0.1, 0.5, 0.9])
    this.reigns = draw.pick([0.7, 0.95, 1])
    this.slow = draw.pick([0, 0.03, 0.2])
    this.deposals = draw.pick([0, 0.0005, 0.002])
    this.stops = draw.pick([0, 0, 0.001])
    this.refusals = draw.pick([0, 0, 0.05, 0.2])
    this.losses = draw.pick([0, 0.5])
    this.delays = draw.pick([0, 0.3])
    this.strangers = draw.pick([0, 0.05, 0.2])
    this.lists = draw.pick([0, 0.05, 0.3])
    this.ends = draw.pick([0.005, 0.05])
    this.ephemeral = draw.pick([0.2, 0.8])
    this.directories = draw.pick([0.1, 0.5])
    this.places = draw.pick([everywhere, inDirectory, deeper, onLists, single])
    this.poor = draw.pick([0.1, 0.4])
  }
}

/** Everything that may happen to a session service, and what has to hold all the while. */
class World implements Wire {
  readonly seed: number
  readonly draw: Draw
  readonly schedule = new Schedule()
  readonly #temper: Temper
  readonly #marks: Set<string>
  readonly #leader: Leader
  #sessions: ClientSession[] = []
  /** Creations that are on their way, by session and principal. */
  readonly #creations = new Map<string, number>()
  #reign = 1n
  #reignsAgainAt: number | undefined
  /** The leader's process stands still until then. */
  #stoppedUntil = 0
  #tickAt = 0
  #calm = false
  /** Reads and queries that nobody has answered. */
  #asked = 0

  constructor(seed: number, marks: Set<string>) {
    this.seed = seed
    this.draw = new Draw(seed)
    this.#temper = new Temper(this.draw)
    this.#marks = marks
    this.#leader = new Leader({
      draw: this.draw,
      schedule: this.schedule,
      refusals: () => (this.#calm ? 0 : this.#temper.refusals),
      delays: this.#temper.delays,
      letIn: (command, principal) => this.#isItsOwn('let in', command, principal),
      answering: (reply, session, principal) => this.#answering(reply, session, principal),
      applying: (entry) => this.#applying(entry),
      applied: (entry) => this.#applied(entry),
    })
    this.#leader.reign(this.#reign)
  }

  mark(name: string): void {
    this.#marks.add(name)
  }

  #fail(why: string): never {
    throw new Error(`at ${this.schedule.now} ms: ${why}`)
  }

  // ---- what has to hold -------------------------------------------------------------------------------------------------------------------

  /** No client speaks for a session of another principal. */
  #isItsOwn(what: string, command: ChubbyCommand, principal: string): void {
    const id = sessionOf(command)
    const owner = id === undefined ? undefined : this.#leader.cell.view.session(id)?.principal
    if (owner !== undefined && owner !== principal)
      this.#fail(`${command.type} of ${principal} was ${what} for session ${id}, which is ${owner}'s`)
  }

  #answering(reply: CallReply, session: bigint | undefined, principal: string): void {
    const owner = session === undefined ? undefined : this.#leader.cell.view.session(session)?.principal
    if (reply.type === 'alive' && owner !== undefined && owner !== principal)
      this.#fail(`${principal} was told that session ${session} lives, which is ${owner}'s`)
  }

  #applying(entry: Entry): void {
    const { command } = entry
    // The state itself refuses to create what is another's.
    if (entry.type === 'admitted' && command.type !== 'createSession')
      this.#isItsOwn('applied', command, entry.principal)
    const { view } = this.#leader.cell
    if (command.type === 'createSession' && view.session(command.session) === undefined)
      // One that was ended, of which its client does not know, and made anew by what the client had sent twice.
      for (const each of this.#sessions)
        if (each.id === command.session && each.principal === command.principal && each.state === 'live') each.over()
    if (command.type !== 'expire') return
    const session = view.session(command.session)
    if (session === undefined || command.epoch !== this.#reign) return
    this.mark('a session was expired')
    for (const each of this.#sessions)
      if (each.id === session.id && each.principal === session.principal && each.hasLease)
        this.#fail(`session ${each.id} is expired, but its client has a lease until ${each.deadline}`)
  }

  #applied({ command }: Entry): void {
    for (const each of this.#sessions) this.#isCoherent(each, command.type)
  }

  /** What a client may use right now is what the state says. */
  #isCoherent(session: ClientSession, after: string): void {
    if (!session.trusts) return
    for (const [path, kept] of session.cache) {
      const is = this.#leader.cell.view.file(path, session.principal)
      if (!isSame(kept, is))
        this.#fail(
          `session ${session.id} of ${session.principal} keeps ${wordsOf(kept)} of ${path}, but after ${after} it is ${wordsOf(is)}`,
        )
    }
  }

  // ---- the wire ---------------------------------------------------------------------------------------------------------------------------

  #later(run: () => void): void {
    const millis =
      !this.#calm && this.draw.chance(this.#temper.slow) ? this.draw.between(50, 500) : this.draw.between(1, 15)
    this.schedule.after(millis, run)
  }

  /** Nothing reaches a process that stands still. */
  #toLeader(run: () => void): void {
    const arrive = (): void => {
      const left = this.#stoppedUntil - this.schedule.now
      if (left > 0) this.schedule.after(left, arrive)
      else run()
    }
    this.#later(arrive)
  }

  ask(principal: string, call: ChubbyCall, answered: Answered, arrived = (): void => {}): () => void {
    let [withdrawn, withdraw] = [false, (): void => {}]
    this.#toLeader(() => {
      arrived()
      if (withdrawn) return
      withdraw = this.#leader.ask(principal, call, (answer, number) => this.#later(() => answered(answer, number)))
    })
    return () => {
      withdrawn = true
      if (this.draw.chance(0.7)) this.#toLeader(() => withdraw())
    }
  }

  command(principal: string, command: ChubbyCommand, done: CommandDone): void {
    const creation = command.type === 'createSession' ? `${command.session} ${principal}` : undefined
    if (creation !== undefined) this.#creations.set(creation, (this.#creations.get(creation) ?? 0) + 1)
    this.#toLeader(() => {
      const heard = command.type === 'endSession' ? this.#ended(command.session, principal) : []
      this.#leader.admit(principal, command, (outcome, reply) => {
        const { answers, epoch } = this.#leader
        // What nobody knows is known in the next reign.
        const from = (outcome === 'unknown' ? this.#reign + 1n : (epoch ?? 0n)) as Epoch
        for (const tell of heard) tell(answers, from)
        if (creation !== undefined && outcome !== 'unknown') this.#created(creation)
        this.#later(() => done(outcome, reply))
      })
    })
  }

  #created(creation: string): void {
    this.#creations.set(creation, (this.#creations.get(creation) ?? 0) - 1)
  }

  #ended(id: bigint, principal: string): ((answer: number, epoch: Epoch) => void)[] {
    const meant = this.#sessions.filter(
      (each) => each.id === id && each.principal === principal && each.state !== 'over',
    )
    if (meant.length > 0) this.mark('a session was ended from elsewhere')
    return meant.map((each) => each.endedFromElsewhere())
  }

  // ---- what clients do ----------------------------------------------------------------------------------------------------------------------

  #act(): void {
    const { draw } = this
    const principal = draw.pick(['p0', 'p1', 'p2'])
    if (draw.chance(this.#temper.strangers)) return this.#stranger(principal)
    const own = this.#sessions.filter((each) => each.principal === principal && each.state !== 'over')
    if (own.length < 3 && draw.chance(own.length === 0 ? 1 : 0.05)) return this.#begin(principal)
    const [one, ...more] = own
    if (one === undefined) return
    const session = draw.pick([one, ...more])
    if (session.state === 'creating') return this.#again(session)
    if (session.manner === 'silent') return
    if (draw.chance(0.01)) session.manner = this.#manner()
    if (draw.chance(0.05)) session.keepAlive()
    this.#use(session, draw.pick([one, ...more]))
  }

  #manner(): Manner {
    if (!this.draw.chance(this.#temper.poor)) return 'prompt'
    return this.draw.pick(['late', 'late', 'deaf', 'silent'])
  }

  #begin(principal: string): void {
    const id = this.draw.pick(ids)
    const known = this.#sessions.some(
      (each) => each.id === id && each.principal === principal && (each.state !== 'over' || each.travelling > 0),
    )
    // A client takes no id that it has used, unless nothing is left of that.
    const isOnItsWay = (this.#creations.get(`${id} ${principal}`) ?? 0) > 0
    const there = this.#leader.cell.view.session(id)
    if (known || isOnItsWay || there?.principal === principal) return
    if (there !== undefined) this.mark("a session was to be created that is another's")
    this.#sessions = this.#sessions.filter((each) => each.state !== 'over' || each.travelling > 0)
    this.#sessions.push(new ClientSession(this, id, principal, this.draw.pick(leases), this.#manner()))
  }

  /** A client that has not heard whether its session was created says it again. */
  #again({ id: session, principal, lease }: ClientSession): void {
    if (this.draw.chance(0.1)) this.command(principal, { type: 'createSession', session, principal, lease }, () => {})
  }

  /** Somebody speaks for a session that may be another's, or says what means nothing. */
  #stranger(principal: string): void {
    const id = this.draw.pick(ids)
    const other = this.draw.pick(['p0', 'p1', 'p2'])
    // Whoever knows an id of its own principal is no stranger.
    const isKnown = this.#sessions.some((each) => each.id === id && each.principal === principal)
    if (isKnown) return
    switch (this.draw.between(0, 5)) {
      case 0:
        // One in its own name nobody would keep alive.
        if (other !== principal)
          this.#tell(principal, { type: 'createSession', session: id, principal: other, lease: 600 })
        return
      case 1:
        return this.#tell(principal, { type: 'endSession', session: id })
      case 2: {
        const call: ChubbyCall = {
          type: 'keepAlive',
          session: id,
          epoch: this.#reign as Epoch,
          acked: this.draw.between(0, 20),
        }
        this.ask(principal, call, () => {})
        return
      }
      case 3:
        this.#leader.ask(principal, Uint8Array.of(this.draw.between(0, 255), 1, 2), () => {})
        return
      case 4:
        this.#asked += 1
        this.ask(principal, { type: 'query', local: this.draw.chance(0.5), query: { type: 'info' } }, () => {
          this.#asked -= 1
        })
        return
      default:
        return this.#tell(principal, this.#command(id))
    }
  }

  #tell(principal: string, command: ChubbyCommand): void {
    this.command(principal, command, () => {})
  }

  #use(session: ClientSession, other: ClientSession): void {
    const { id, principal } = session
    const { draw } = this
    if (draw.chance(this.#temper.reads)) {
      this.#asked += 1
      session.read(this.#path(), () => {
        this.#asked -= 1
        this.#isCoherent(session, 'a read')
      })
    } else if (draw.chance(2 * this.#temper.ends)) this.#end(session, other)
    else if (session.commands < this.#temper.commands) {
      session.commands += 1
      this.command(principal, this.#command(id), () => {
        session.commands -= 1
      })
    }
  }

  /** As a client ends its own: it is over before the cluster knows. Or another one's of its principal. */
  #end(session: ClientSession, other: ClientSession): void {
    const isOwn = this.draw.chance(0.5)
    if (isOwn) session.over()
    this.#tell(session.principal, { type: 'endSession', session: isOwn ? session.id : other.id })
  }

  /** One that is used, or that something used is in. */
  #path(): string {
    const { draw } = this
    const { files, directories, lists } = this.#temper.places
    return draw.pick([draw.pick(files), draw.pick(files), draw.pick(directories), draw.pick(lists)])
  }

  #command(session: bigint): ChubbyCommand {
    const { draw } = this
    const handle = draw.between(1, 4)
    switch (draw.between(0, 10)) {
      case 0:
      case 1:
      case 2:
        return this.#open(session, handle)
      case 3:
        return { type: 'close', session, handle }
      case 4:
        return { type: 'acquire', session, handle, mode: draw.pick(['exclusive', 'shared']), queue: draw.chance(0.5) }
      case 5:
        return { type: 'release', session, handle }
      case 6:
        return { type: 'delete', session, handle }
      case 7:
        return draw.chance(0.5)
          ? { type: 'setAcl', session, handle, acl: this.#acl() }
          : { type: 'raiseToken', session, above: BigInt(draw.between(0, 1000)) }
      default:
        return { type: 'write', session, handle, contents: this.#contents() }
    }
  }

  #open(session: bigint, handle: number): OpenCommand {
    const { draw } = this
    const isList = draw.chance(this.#temper.lists)
    const isDirectory = !isList && draw.chance(this.#temper.directories)
    const { files, directories, lists } = this.#temper.places
    return {
      ...opening,
      session,
      handle,
      path: isList ? draw.pick(lists) : isDirectory ? draw.pick(directories) : draw.pick(files),
      kind: isDirectory ? 'directory' : 'file',
      contents: isDirectory ? new Uint8Array(0) : this.#contents(),
      create: draw.pick(['no', 'missing', 'missing', 'new']),
      ephemeral: draw.chance(this.#temper.ephemeral),
      parents: draw.chance(0.8),
      lockDelay: draw.pick([0, 0, 300]),
      subscriptions: draw.chance(0.2) ? ['contents', 'children', 'acquired', 'conflicting'] : [],
      ...(draw.chance(0.1) && { lock: { mode: 'exclusive', queue: draw.chance(0.5) } }),
    }
  }

  /** Also of lists: who may read is said by lines. */
  #contents(): Uint8Array {
    return encoder.encode(this.draw.pick(['', '*', 'p0', 'p1\np2', 'p0\np1', `${this.draw.between(0, 99)}`]))
  }

  #acl(): AclNames {
    return { read: this.draw.pick(['', 'l', 'm']), write: '', changeAcl: '' }
  }

  // ---- what happens to the leader ---------------------------------------------------------------------------------------------------------

  /** What is due, and what the draw lets happen. */
  #turn(): void {
    const { now } = this.schedule
    if (now < this.#stoppedUntil) return
    if (now >= this.#tickAt) {
      this.#tickAt = now + 50
      this.#leader.tick()
    }
    if (this.#calm || this.draw.chance(this.#temper.applies)) this.#leader.apply(this.draw.pick([1, 1, 3]))
    if (this.#calm || this.draw.chance(this.#temper.confirms))
      this.#leader.confirm(this.#calm || this.draw.chance(this.#temper.reigns))
    if (this.#reignsAgainAt !== undefined && now >= this.#reignsAgainAt) this.#reigns()
    if (!this.#calm) this.#trouble()
  }

  #trouble(): void {
    const { draw } = this
    const { deposals, stops, losses } = this.#temper
    if (draw.chance(stops)) this.#stoppedUntil = this.schedule.now + draw.between(100, 3000)
    if (!draw.chance(deposals) || this.#leader.epoch === undefined) return
    if (!draw.chance(losses)) return this.#depose()
    this.#leader.lose()
    this.schedule.after(draw.between(0, 100), () => this.#depose())
  }

  #depose(): void {
    if (this.#leader.epoch === undefined) return
    this.#leader.depose()
    this.mark('it was deposed')
    this.#reignsAgainAt = this.schedule.now + (this.#calm ? 0 : this.draw.between(0, this.draw.pick([100, 1500])))
  }

  #reigns(): void {
    this.#reignsAgainAt = undefined
    this.#reign += BigInt(this.draw.between(1, 2))
    this.#leader.reign(this.#reign)
    // What came to nothing by then never will come to anything.
    this.#creations.clear()
    for (const { id, principal, state } of this.#sessions)
      if (state === 'creating') this.#creations.set(`${id} ${principal}`, 1)
  }

  // ---- a run ------------------------------------------------------------------------------------------------------------------------------

  #pass(): void {
    this.schedule.pass(stepMillis)
    this.#turn()
  }

  run(): void {
    while (this.schedule.now < lively) {
      if (this.draw.chance(this.#temper.acts)) this.#act()
      this.#pass()
    }
    this.#settle()
  }

  /** Nothing new is asked for, the log and the quorum answer at once, and who still lives is prompt: everything comes to an end. */
  #settle(): void {
    this.#calm = true
    this.#stoppedUntil = 0
    this.#reignsAgainAt ??= this.#leader.epoch === undefined ? this.schedule.now : undefined
    for (const each of this.#sessions) if (each.manner === 'late') each.manner = 'prompt'
    // What is on the wire arrives first.
    while (this.schedule.now < lively + 1500) this.#pass()
    this.#until(() => this.#unrest())
    const { files, directories, lists } = everywhere
    for (const path of [...files, ...directories, ...lists]) this.#isFree(path)
  }

  /** @param problem undefined: there is none any more. */
  #until(problem: () => string | undefined): void {
    const end = this.schedule.now + settling
    let last = problem()
    for (; last !== undefined && this.schedule.now < end; last = problem()) this.#pass()
    if (last !== undefined) this.#fail(last)
  }

  /** What has not come to its end. */
  #unrest(): string | undefined {
    const { waiting, logged, undecided, unanswered } = this.#leader
    const [stuck] = waiting
    if (stuck !== undefined) return `${stuck.type} waits for ever, and ${waiting.length - 1} more`
    if (logged + undecided > 0) return `${logged} entries and ${undecided} commands of its own are undecided`
    if (this.#asked > 0) return `${this.#asked} calls were never answered, of ${unanswered.join()}`
    const live = this.#sessions.filter((each) => each.state === 'live')
    for (const each of live)
      if (each.manner === 'silent' && !live.some((other) => other !== each && other.id === each.id))
        if (this.#leader.cell.view.session(each.id)?.principal === each.principal)
          return `session ${each.id} is still there, but its client is silent`
    for (const { id, principal } of this.#leader.cell.view.sessions())
      if (!live.some((each) => each.id === id && each.principal === principal))
        return `session ${id} of ${principal} is still there, but nobody keeps it alive`
    return undefined
  }

  /** Nothing that is over keeps anybody from caching. */
  #isFree(path: string): void {
    let [free, asking] = [false, false]
    this.#until(() => {
      const session = this.#sessions.find((each) => each.hasLease && each.manner === 'prompt')
      if (free || session === undefined) return undefined
      this.mark('somebody lived to the end')
      if (!asking)
        session.read(path, (cacheable, isFile) => {
          asking = false
          free = cacheable || !isFile
        })
      asking = true
      return `${path} may not be cached, though nothing changes any more`
    })
  }
}

const isSame = (kept: FileContents | undefined, is: FileContents | string | undefined): boolean =>
  typeof is !== 'string' &&
  kept?.instance === is?.instance &&
  kept?.contentGeneration === is?.contentGeneration &&
  `${kept?.contents}` === `${is?.contents}`

const wordsOf = (file: FileContents | string | undefined): string => {
  if (file === undefined) return 'that there is none'
  return typeof file === 'string' ? file : `generation ${file.contentGeneration} of instance ${file.instance}`
}

test(`${count} seeds from ${first}: no stale cache, no early expiry, nobody speaks for another, and all comes to an end`, {
  timeout: 3_600_000,
}, () => {
  const marks = new Set<string>()
  for (let seed = first; seed < first + count; seed++) {
    try {
      new World(seed, marks).run()
    } catch (error) {
      throw new Error(`SERVICE_SEED=${seed} SERVICE_RUNS=1 ${error instanceof Error ? error.message : error}`, {
        cause: error,
      })
    }
  }
  if (count < 1000) return
  expect([...marks].sort()).toEqual([
    'a read was overtaken',
    'a session was ended from elsewhere',
    'a session was expired',
    "a session was to be created that is another's",
    'an answer was kept',
    'it was deposed',
    'somebody lived to the end',
    'told to drop a path',
    'told to drop everything',
  ])
})
