import type { Capture, Epoch, LogTime, NodeId, Position, StateMachine } from '@conclave/interface'
import { asView, type Draw, drawOf, hex, sameBytes } from '../draw.ts'
import type { MachineSubject, Step } from './subject.ts'

/** What a machine is led through for a seed: commands, with a new reign now and then, as the log would bring them. */
export const stepsOf = (subject: MachineSubject, seed: number, count: number): readonly Step[] => {
  const draw = drawOf(seed)
  const steps: Step[] = []
  let position = 0
  let time = 0
  let epoch = 0n
  for (let index = 0; index < count; index++) {
    if (index === 0 || draw.chance(0.05)) {
      epoch += BigInt(1 + draw.below(3))
      steps.push({
        type: 'reign',
        epoch: epoch as Epoch,
        leader: `node ${draw.below(3)}` as NodeId,
        position: ++position as Position,
      })
    }
    // Several commands of one batch stand at one position.
    if (draw.chance(0.7)) {
      position++
      time += draw.below(2000)
    }
    const context = { position: position as Position, time: time as LogTime, epoch: epoch as Epoch }
    steps.push({ type: 'apply', command: subject.command(draw, index), context })
  }
  return steps
}

/** Takes one step. @returns the reply, if there is one. */
export const take = (machine: StateMachine, step: Step): Uint8Array | undefined => {
  if (step.type === 'apply') return machine.apply(step.command, step.context)
  machine.reign?.(step.epoch, step.leader, step.position)
  return undefined
}

export const takeAll = (machine: StateMachine, steps: readonly Step[]): void => {
  for (const step of steps) take(machine, step)
}

/** As a replica does it: the command is a view, and its memory is used for something else afterwards. */
export const takeFromFrame = (machine: StateMachine, step: Step): Uint8Array | undefined => {
  if (step.type !== 'apply') return take(machine, step)
  const command = asView(step.command)
  const reply = machine.apply(command, step.context)
  const copy = new Uint8Array(reply)
  command.fill(0xee)
  return copy
}

export const copyStep = (step: Step): Step =>
  step.type === 'apply' ? { ...step, command: new Uint8Array(step.command) } : step

/** The whole body, its chunks checked. */
export const bodyOf = async (capture: Capture): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of capture.body()) {
    if (chunk.length > 256 * 1024) throw new Error(`a chunk of ${chunk.length} bytes; the bound is 256 KiB`)
    chunks.push(new Uint8Array(chunk))
  }
  return Buffer.concat(chunks)
}

export const captured = async (machine: StateMachine): Promise<Uint8Array> => {
  const capture = machine.capture()
  try {
    return await bodyOf(capture)
  } finally {
    capture.release()
  }
}

/** In pieces of at most `size`. */
export async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size)
}

/** @throws Error that says in what two machines differ, if they do: the hash, or the answer to one of some queries. */
export const sameState = (
  subject: MachineSubject,
  one: StateMachine,
  other: StateMachine,
  seed: number,
  what: string,
): void => {
  const [left, right] = [one.hash(), other.hash()]
  if (left !== right) throw new Error(`${what}: the hashes are ${left} and ${right}`)
  if (subject.query === undefined) return
  const draw = drawOf(seed + 77)
  for (let at = 0; at < 20; at++) {
    const query = subject.query(draw)
    const answers = [one.query(new Uint8Array(query)), other.query(new Uint8Array(query))] as const
    if (!sameBytes(...answers))
      throw new Error(`${what}: to the query ${hex(query)} the answers are ${hex(answers[0])} and ${hex(answers[1])}`)
  }
}

/** Applies the same steps to both. @throws Error at the first reply or state in which they differ. */
export const sameFuture = (
  subject: MachineSubject,
  one: StateMachine,
  other: StateMachine,
  seed: number,
  steps: readonly Step[],
  what: string,
): void => {
  for (const [at, step] of steps.entries()) {
    const [left, right] = [take(one, copyStep(step)), take(other, copyStep(step))]
    if (!sameBytes(left, right))
      throw new Error(`${what}: at step ${at} the replies are ${hex(left)} and ${hex(right)}`)
    if (one.hash() !== other.hash()) throw new Error(`${what}: after step ${at} the hashes differ`)
  }
  sameState(subject, one, other, seed, what)
}

/** Well-formed commands, mangled, and bytes at random. */
export const badCommand = (
  subject: MachineSubject,
  draw: Draw,
  index: number,
  mangle: (bytes: Uint8Array) => Uint8Array,
): Uint8Array => (draw.chance(0.2) ? draw.bytes(draw.below(40)) : mangle(subject.command(draw, index)))
