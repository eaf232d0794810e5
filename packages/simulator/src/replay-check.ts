import type { Decided, Position, StateMachine } from '@conclave/interface'
import { type Replay, replay } from '@conclave/replica/testing'
import { streamsOf } from './streams.ts'

/** Much more than any log of a run holds. */
const atOnce = 1 << 30

export interface ReplayCheckInit {
  readonly decided: readonly Decided[]
  readonly machines: () => readonly StateMachine[]
  readonly seed: number
  /** What nodes said of their state, by position. */
  readonly stateAt: (position: number) => string | undefined
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, at) => byte === b[at])

/**
 * Replaying the log equals taking a snapshot at any position, restoring it and replaying the rest, whatever the boundaries of the turns (Ongaro's
 * dissertation, section 5.1: a snapshot stands for the log up to its position). Returns what does not hold.
 */
export const checkReplay = async (init: ReplayCheckInit): Promise<string | undefined> => {
  const { decided, machines, stateAt } = init
  const random = streamsOf(init.seed)('replay')
  const whole = replay(machines())
  whole.apply(decided, atOnce)
  const end = whole.hash()
  const steps = replay(machines())
  for (const [index, entry] of decided.entries()) {
    steps.apply([entry], 1)
    const position = index + 1
    const told = stateAt(position)
    if (told !== undefined && told !== steps.hash())
      return `a replay of the log gives another state at position ${position} than the nodes had`
    const rest = await restored(steps, entry.position, machines)
    if (typeof rest === 'string') return rest
    rest.apply(decided.slice(position), Math.floor(random.next() * 2_000))
    if (rest.hash() !== end)
      return `a snapshot at position ${position}, restored and followed by the rest of the log, does not give the state of the whole log`
  }
  return steps.hash() === end
    ? undefined
    : 'the state depends on the boundaries of the turns in which the log is applied'
}

const restored = async (
  state: Replay,
  at: Position,
  machines: () => readonly StateMachine[],
): Promise<Replay | string> => {
  const body = await state.capture()
  const copy = replay(machines())
  await copy.restore(body, at)
  if (copy.hash() !== state.hash())
    return `a snapshot at position ${at} does not restore the state that it was taken of`
  return same(await copy.capture(), body)
    ? copy
    : `a snapshot of what was restored at position ${at} is not the same snapshot`
}
