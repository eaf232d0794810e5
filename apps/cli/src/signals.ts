import { Flags } from '@oclif/core'
import { CommandFailed, exitCodes } from './exit.ts'
import type { ProcessRecord } from './local/process.ts'

/** Resolves to the first signal that asks this process to end. A second one is not taken any more: it ends at once. */
export const endSignal = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve(signal))
  })

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
