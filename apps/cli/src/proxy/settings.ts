import { readFile } from 'node:fs/promises'
import { isStrategyName, outlierEjection, panicThreshold, strategies } from '@conclave/balance'
import type { HealthCheck, Limits, Listen, ProxyBalancer, Retries, Sticky, Timeouts } from '@conclave/proxy'
import { parseDuration } from '../duration.ts'
import { CommandFailed, exitCodes } from '../exit.ts'

const usage = (code: string, message: string, hint: string): CommandFailed =>
  new CommandFailed(exitCodes.usage, code, message, hint)

/** `[HOST]:PORT`. @throws CommandFailed (2) */
export const parseListen = (text: string, flag: string): Listen => {
  const [, bracketed, plain, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  if (host !== undefined && port <= 65_535) return { host: host === '' ? '::' : host, port }
  throw usage('invalid-address', `--${flag} ${text} is no address`, 'Write :8080, 127.0.0.1:8080 or [::1]:8080.')
}

/** @throws CommandFailed (2) */
export const parseSticky = async (
  text: string | undefined,
  secretFile: string | undefined,
): Promise<Sticky | undefined> => {
  if (secretFile !== undefined && text !== 'cookie')
    throw usage(
      'invalid-sticky',
      '--sticky-secret is for --sticky cookie only',
      'Add --sticky cookie, or leave it out.',
    )
  if (text === undefined) return undefined
  if (text === 'address') return { by: 'address' }
  if (text === 'cookie')
    return { by: 'cookie', ...(secretFile === undefined ? {} : { secret: await secretIn(secretFile) }) }
  const [, name] = /^header:([!#$%&'*+.^_`|~0-9A-Za-z-]+)$/.exec(text) ?? []
  if (name !== undefined) return { by: 'header', name }
  throw usage('invalid-sticky', `--sticky ${text} is not known`, 'Write cookie, header:NAME or address.')
}

const secretIn = async (file: string): Promise<Uint8Array> => {
  const secret = await readFile(file).catch((error: Error) => {
    throw usage(
      'no-secret',
      `--sticky-secret ${file} cannot be read: ${error.message}`,
      'Name a file that holds the key.',
    )
  })
  if (secret.length >= 16) return secret
  throw usage('short-secret', `--sticky-secret ${file} is too short`, 'Make one: head -c 32 /dev/urandom > secret')
}

interface HealthFlags {
  readonly health?: string | undefined
  readonly 'health-interval': string
  readonly 'health-timeout': string
  readonly 'health-rise': number
  readonly 'health-fall': number
}

/** @throws CommandFailed (2) */
export const healthOf = (flags: HealthFlags): HealthCheck | undefined => {
  const { health } = flags
  const often = {
    interval: parseDuration(flags['health-interval'], 'health-interval'),
    timeout: parseDuration(flags['health-timeout'], 'health-timeout'),
    rise: flags['health-rise'],
    fall: flags['health-fall'],
  }
  if (health === undefined) return undefined
  if (health === 'tcp') return { check: 'tcp', ...often }
  if (/^\/[\x21-\x7e]*$/.test(health)) return { check: 'http', path: health, ...often }
  throw usage('invalid-health', `--health ${health} is no check`, 'Write tcp, or a path such as /health.')
}

interface BoundFlags {
  readonly tries: number
  readonly 'retry-ratio': string
  readonly 'limit-connections': number
  readonly 'limit-instance': number
  readonly 'limit-waiting': number
  readonly 'limit-headers': number
  readonly 'limit-header-bytes': number
  readonly 'connect-timeout': string
  readonly 'header-timeout': string
  readonly 'response-timeout': string
  readonly 'idle-timeout': string
  readonly 'tunnel-timeout': string
  readonly 'keep-alive': string
  readonly 'waiting-timeout': string
}

export interface Bounds {
  readonly limits: Limits
  readonly timeouts: Partial<Timeouts>
  readonly retries: Partial<Retries>
}

/** @throws CommandFailed (2) */
export const boundsOf = (flags: BoundFlags): Bounds => {
  const ratio = Number(flags['retry-ratio'])
  if (!(ratio >= 0 && ratio <= 1))
    throw usage('invalid-ratio', `--retry-ratio ${flags['retry-ratio']} is no ratio`, 'Write a number from 0 to 1.')
  return {
    limits: {
      connections: flags['limit-connections'],
      perInstance: flags['limit-instance'],
      waiting: flags['limit-waiting'],
      headers: flags['limit-headers'],
      headerBytes: flags['limit-header-bytes'],
    },
    timeouts: {
      connect: parseDuration(flags['connect-timeout'], 'connect-timeout'),
      requestHeaders: parseDuration(flags['header-timeout'], 'header-timeout'),
      response: parseDuration(flags['response-timeout'], 'response-timeout'),
      idle: parseDuration(flags['idle-timeout'], 'idle-timeout'),
      tunnel: parseDuration(flags['tunnel-timeout'], 'tunnel-timeout'),
      keepAlive: parseDuration(flags['keep-alive'], 'keep-alive'),
      waiting: parseDuration(flags['waiting-timeout'], 'waiting-timeout'),
    },
    retries: { tries: flags.tries, ratio },
  }
}

/** @throws CommandFailed (2) if what belongs together needs a strategy that goes by keys. */
export const balancerOf = (name: string, eject: boolean, sticky: Sticky | undefined): ProxyBalancer => {
  if (!isStrategyName(name))
    throw usage('invalid-strategy', `there is no strategy ${name}`, 'See: conclave proxy --help')
  const { factory, needs } = strategies[name]
  const keyed = sticky !== undefined && sticky.by !== 'cookie'
  if (keyed && needs.key !== true)
    throw usage(
      'no-key',
      `--sticky by ${sticky.by} needs a strategy that goes by keys, which ${name} does not`,
      'Add --strategy ring-hash, maglev, rendezvous or bounded-load; or write --sticky cookie.',
    )
  const init = { random: { next: Math.random }, now: () => performance.now() }
  const inner = factory(init)
  // The only instance, or the only one that is left to try, is better than none.
  return eject ? panicThreshold(outlierEjection(inner, init)) : inner
}
