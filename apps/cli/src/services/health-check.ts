import { connect } from 'node:net'
import type { Health } from '@conclave/client/recipes'
import { CommandFailed, exitCodes } from '../exit.ts'

/** Rejects, with why, unless the instance is healthy. */
export type Probe = (signal: AbortSignal) => Promise<void>

const splitAddress = (address: string): { readonly host: string; readonly port: number } => {
  const at = address.lastIndexOf(':')
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) }
}

const tcpProbe =
  (address: string): Probe =>
  (signal) =>
    new Promise((resolve, reject) => {
      const socket = connect({ ...splitAddress(address), signal })
      socket.on('error', reject)
      socket.on('connect', () => {
        socket.destroy()
        resolve()
      })
    })

const httpProbe =
  (url: string): Probe =>
  async (signal) => {
    const response = await fetch(url, { signal, redirect: 'manual' })
    await response.body?.cancel()
    if (!response.ok) throw new Error(`the answer is ${response.status}`)
  }

/**
 * What `--health` asks for: `tcp` connects to the address of the instance; an URL of http or https is to be answered with 200 to 299.
 * @throws CommandFailed (2)
 */
export const probeOf = (text: string, address: string): Probe => {
  if (text === 'tcp') return tcpProbe(address)
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return httpProbe(text)
  throw new CommandFailed(
    exitCodes.usage,
    'invalid-health',
    `--health ${text} is no check`,
    `Write tcp, which connects to the address, or an URL such as http://${address}/health.`,
  )
}

export interface HealthCheckInit {
  readonly probe: Probe
  /** Milliseconds from the end of one check to the next. */
  readonly interval: number
  /** Milliseconds after which a check has failed. */
  readonly timeout: number
  /** So many in a row that pass make it passing. */
  readonly rise: number
  /** So many in a row that fail make it failing. */
  readonly fall: number
  /** Called when its health is another. It is failing to begin with. @param reason why it is failing. */
  readonly changed: (health: Health, reason?: string) => void
}

/** A connection to nowhere says why in its cause. */
const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return 'there is no answer in time'
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message
}

/** Checks an instance again and again, one check at a time. @returns what stops it. */
export const watchHealth = ({ probe, interval, timeout, rise, fall, changed }: HealthCheckInit): (() => void) => {
  const stopped = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let health: Health = 'failing'
  /** Checks in a row that say otherwise. */
  let against = 0
  const found = (now: Health, reason?: string): void => {
    against = now === health ? 0 : against + 1
    if (against < (now === 'passing' ? rise : fall)) return
    health = now
    against = 0
    changed(health, reason)
  }
  const check = async (): Promise<void> => {
    const late = new AbortController()
    const tooLate = setTimeout(() => late.abort(new DOMException('', 'TimeoutError')), timeout)
    try {
      await probe(AbortSignal.any([stopped.signal, late.signal]))
      if (!stopped.signal.aborted) found('passing')
    } catch (error) {
      if (!stopped.signal.aborted) found('failing', reasonOf(late.signal.aborted ? late.signal.reason : error))
    } finally {
      clearTimeout(tooLate)
    }
    if (!stopped.signal.aborted) timer = setTimeout(check, interval)
  }
  void check()
  return () => {
    stopped.abort()
    clearTimeout(timer)
  }
}
