import { Flags } from '@oclif/core'
import { CommandFailed, exitCodes } from './exit.ts'
import type { ProcessRecord } from './local/process.ts'

const endSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Resolves to the first signal that asks this process to end. A second one is not taken any more: it ends at once. */
export const endSignal = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    for (const signal of endSignals) process.once(signal, () => resolve(signal))
  })

/** A terminal, and the process that the user started, may both send the same signal. */
const sameSignalMillis = 100

/** Calls `listener` with every signal that asks this process to end, and how many came before it. @returns what stops it. */
export const onEndSignals = (listener: (signal: NodeJS.Signals, before: number) => void): (() => void) => {
  let [count, last] = [0, Number.NEGATIVE_INFINITY]
  const heard = (signal: NodeJS.Signals): void => {
    const now = performance.now()
    if (now - last < sameSignalMillis) return
    last = now
    listener(signal, count++)
  }
  for (const signal of endSignals) process.on(signal, heard)
  return () => {
    for (const signal of endSignals) process.off(signal, heard)
  }
}

/** Until it is disposed of, the first signal that asks this process to end is kept, and fires `signal`: for what can still be given up. */
export interface Interruption extends Disposable {
  readonly signal: AbortSignal
  readonly came: NodeJS.Signals | undefined
}

export const interruption = (): Interruption => {
  const giveUp = new AbortController()
  let came: NodeJS.Signals | undefined
  const off = onEndSignals((signal) => {
    came ??= signal
    giveUp.abort(new Error(`${signal} came`))
  })
  return {
    signal: giveUp.signal,
    get came() {
      return came
    },
    [Symbol.dispose]: off,
  }
}

/** `--owner PID/STARTED`: what a child of `conclave up` is started with. */
export const ownerFlag = {
  owner: Flags.string({ hidden: true, description: 'end when this process ends' }),
}

export const parseOwner = (text: string): ProcessRecord => {
  const [, pid, started] = /^(\d+)\/(.+)$/.exec(text) ?? []
  if (pid === undefined || started === undefined)
    throw new CommandFailed(exitCodes.usage, 'invalid-owner', '--owner takes PID/STARTED')
  return { pid: Number(pid), started }
}
