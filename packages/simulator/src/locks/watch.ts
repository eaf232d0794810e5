import type { StateMachine } from '@conclave/interface'
import {
  type ChubbyCommand,
  type CommandReply,
  decodeAnswer,
  decodeCommand,
  decodeReply,
  encodeQuery,
  type LockInfo,
  type LockParty,
} from '@conclave/machine-chubby'
import type { Observation } from '../observation.ts'
import type { LockScene } from './scene.ts'

type Applied = Extract<Observation, { type: 'locks' }>
const everything = encodeQuery({ type: 'locks', prefix: '/ls', after: '', limit: 1000 })

const locksOf = (machine: StateMachine): ReadonlyMap<string, LockInfo> => {
  const answer = decodeAnswer(machine.query(everything))
  return new Map(answer.status === 'locks' ? answer.locks.map((lock) => [lock.path, lock]) : [])
}

const isThere = (machine: StateMachine, path: string): boolean => {
  const answer = decodeAnswer(machine.query(encodeQuery({ type: 'file', path })))
  return answer.status !== 'refused' || answer.problem !== 'no-node'
}

export interface LockWatchInit {
  readonly scene: LockScene
  readonly hit: (mark: string) => void
  readonly broken: (invariant: string, what: string) => void
}

type Party = Pick<LockParty, 'session' | 'handle'>
const isSame = (a: Party, b: Party): boolean => a.session === b.session && a.handle === b.handle

interface Waiter {
  readonly session: bigint
  readonly handle: number
  readonly under: bigint
}

interface Opened {
  readonly path: string
  readonly lockDelay: number
}

/** Judges the state of the locks after each command, at whichever node applies it first: all that does not depend on what clients believe. */
export class LockWatch {
  readonly #init: LockWatchInit
  #position = 0
  #locks: ReadonlyMap<string, LockInfo> = new Map()
  #highest = 0n
  #reign = 0n
  /** Log time of the command. */
  #time = 0
  readonly #handles = new Map<string, Opened>()
  /** Log time before which nobody may get the lock of a path. */
  readonly #delays = new Map<string, number>()
  /** Who waits for each path, in the order of coming, and the reign under which each came. */
  readonly #lines = new Map<string, readonly Waiter[]>()

  constructor(init: LockWatchInit) {
    this.#init = init
  }

  see(seen: Observation): void {
    if (seen.type !== 'locks' || seen.position < this.#position) return
    // A batch may hold several commands: all are told by the node that comes to its position first.
    if (seen.position > this.#position) this.#first = seen.node
    else if (seen.node !== this.#first || seen.life !== this.#life) return
    this.#life = seen.life
    this.#position = seen.position
    this.#applied(seen, decodeCommand(seen.command), decodeReply(seen.reply))
  }
  #first = ''
  #life = 0

  #applied(seen: Applied, command: ChubbyCommand, reply: CommandReply): void {
    const { hit, scene } = this.#init
    this.#reign = seen.epoch
    this.#time = seen.time
    const before = this.#locks
    this.#locks = locksOf(seen.machine)
    if (command.type === 'open' && reply.status === 'opened')
      this.#handles.set(`${command.session} ${command.handle}`, command)
    if ('handle' in command) scene.files.applied(command, reply, this.#pathOf(command))
    if (command.type === 'expire') {
      if (reply.status === 'refused' && reply.problem === 'other-reign') hit('expire dropped for its epoch')
      if (reply.status === 'done') this.#expired(command.session, before)
      if (reply.status === 'done') scene.expired(command.session)
    }
    // One command may pass on several locks: in the order of their tokens.
    const locks = [...this.#locks.values()].sort((a, b) => (a.token < b.token ? -1 : 1))
    for (const path of this.#lines.keys()) if (!this.#locks.has(path)) this.#lines.delete(path)
    for (const lock of locks) this.#compare(before.get(lock.path), lock, command)
    this.#deleted(command, reply)
    if (command.type !== 'delete') this.#gone(seen.machine)
  }

  #pathOf({ session, handle }: Party): string {
    return this.#handles.get(`${session} ${handle}`)?.path ?? ''
  }

  /** An ephemeral file that nobody has open takes its lock-delay with it. */
  #gone(machine: StateMachine): void {
    for (const path of this.#delays.keys())
      if (!this.#locks.has(path) && !isThere(machine, path)) this.#delays.delete(path)
  }

  /** With the node go its delay and its line. */
  #deleted(command: ChubbyCommand, reply: CommandReply): void {
    if (command.type !== 'delete' || reply.status !== 'deleted') return
    const path = this.#pathOf(command)
    if ((this.#delays.get(path) ?? 0) > this.#time)
      this.#init.broken('lock-delay', `${path} was deleted during its lock-delay`)
  }

  #expired(session: bigint, before: ReadonlyMap<string, LockInfo>): void {
    this.#init.hit('session expired')
    for (const { path, holders } of before.values()) {
      if (!holders.some((holder) => holder.session === session)) continue
      this.#init.hit('session expired while holding')
      const delays = [...this.#handles]
        .filter(([key, opened]) => key.startsWith(`${session} `) && opened.path === path)
        .map(([, { lockDelay }]) => lockDelay)
      const delay = delays.length === 0 ? 0 : Math.min(...delays)
      if (holders.length === 1 && delay > 0) this.#delays.set(path, this.#time + delay)
    }
    for (const key of [...this.#handles.keys()]) if (key.startsWith(`${session} `)) this.#handles.delete(key)
  }

  #compare(before: LockInfo | undefined, now: LockInfo, command: ChubbyCommand): void {
    const { hit, broken } = this.#init
    const { path } = now
    const had = (party: LockParty): boolean => before?.holders.some((holder) => isSame(holder, party)) === true
    const joined = now.holders.filter((holder) => !had(holder))
    if (joined.length > 0 && now.token !== before?.token) {
      if (now.token <= this.#highest)
        broken('fencing tokens', `${path} was granted with token ${now.token} after ${this.#highest}`)
      this.#highest = now.token
      if (this.#time < (this.#delays.get(path) ?? 0))
        broken(
          'lock-delay',
          `${path} was granted ${((this.#delays.get(path) ?? 0) - this.#time).toFixed(1)} ms too early`,
        )
      if (this.#delays.delete(path) && command.type === 'lift') hit('lock-delay ran out with a waiter')
    }
    this.#judgeOrder(now, joined)
  }

  /** First come, first served: nobody who still waits stood before somebody who waited and got it. */
  #judgeOrder({ path, waiters }: LockInfo, joined: LockInfo['holders']): void {
    const { hit, broken } = this.#init
    const waits = (party: Party): boolean => waiters.some((waiter) => isSame(waiter, party))
    const line = this.#lines.get(path) ?? []
    for (const party of joined) {
      const found = line.findIndex((waiter) => isSame(waiter, party))
      const place = found < 0 ? line.length : found
      if ((line[place]?.under ?? this.#reign) !== this.#reign) hit('waiter granted after a fail-over')
      if (line.slice(0, place).some(waits))
        broken('first come, first served', `${path} was granted to one who stood at ${place}, before others`)
    }
    const still = line.filter(waits)
    const late = waiters.filter((waiter) => !still.some((other) => isSame(other, waiter)))
    this.#lines.set(path, [...still, ...late.map(({ session, handle }) => ({ session, handle, under: this.#reign }))])
  }
}
