import { setTimeout as sleep } from 'node:timers/promises'
import {
  checkedInstance,
  checkedServiceName,
  type InstanceInit,
  type KeptRegistration,
  keepRegistered,
  type RegistrationState,
} from '@conclave/client/recipes'
import { type HealthWatchInit, watchHealth } from '@conclave/proxy/health'
import { openClient } from '../client.ts'
import { parseDuration } from '../duration.ts'
import { CommandFailed, exitCodes } from '../exit.ts'
import { codeOfSignal, Guard, type GuardedCommand } from '../locks/guarded-command.ts'
import { pathOf } from '../locks/name.ts'
import { runGuarded } from '../locks/run-guarded.ts'
import { interruption, onEndSignals } from '../signals.ts'
import { probeOf } from './health-check.ts'
import { RegistrationNews } from './registration-news.ts'

/** Exit code: the registration was lost, or somebody ended it. */
const lostCode = 76

export interface RegisterFlags {
  readonly endpoints?: readonly string[] | undefined
  readonly data?: string | undefined
  readonly timeout: number
  readonly identity?: string | undefined
  readonly registry: string
  readonly address: string
  readonly id?: string | undefined
  readonly weight: string
  readonly tag?: readonly string[] | undefined
  readonly zone?: string | undefined
  readonly health?: string | undefined
  readonly 'health-interval': string
  readonly 'health-timeout': string
  readonly 'health-rise': number
  readonly 'health-fall': number
  readonly ttl: string
  readonly drain: string
  readonly replace: boolean
  readonly 'exit-on-lost': boolean
}

export interface Registering {
  readonly service: string
  /** Empty: nothing is run, the instance is registered until a signal comes. */
  readonly command: readonly string[]
  readonly json: boolean
}

const weightOf = (text: string): number => {
  if (/^\d+(\.\d+)?$/.test(text) && Number(text) > 0) return Number(text)
  throw new CommandFailed(
    exitCodes.usage,
    'invalid-weight',
    `--weight ${text} is no weight`,
    'Write a number above 0, such as 1 or 2.5.',
  )
}

/** With a check it is failing until that passes. */
const instanceOf = ({ address, id, weight, tag = [], zone, health }: RegisterFlags): InstanceInit => ({
  address,
  weight: weightOf(weight),
  tags: tag,
  health: health === undefined ? 'passing' : 'failing',
  ...(id === undefined ? {} : { id }),
  ...(zone === undefined ? {} : { zone }),
})

const checkOf = (flags: RegisterFlags): Omit<HealthWatchInit, 'changed'> | undefined =>
  flags.health === undefined
    ? undefined
    : {
        probe: probeOf(flags.health, flags.address),
        interval: parseDuration(flags['health-interval'], 'health-interval'),
        timeout: parseDuration(flags['health-timeout'], 'health-timeout'),
        rise: flags['health-rise'],
        fall: flags['health-fall'],
        well: false,
        delay: 0,
      }

/** Registers an instance for as long as this process, or a command under it, runs. @returns the exit code. @throws CommandFailed, RangeError; what the cluster refuses at first. */
export const registerService = async (
  flags: RegisterFlags,
  { service, command, json }: Registering,
): Promise<number> => {
  checkedServiceName(service)
  const instance = checkedInstance(instanceOf(flags))
  const check = checkOf(flags)
  const [ttl, drain] = [parseDuration(flags.ttl, 'ttl'), parseDuration(flags.drain, 'drain', 0)]
  const guard = command.length === 0 ? undefined : new Guard()
  const stream = guard === undefined ? process.stdout : process.stderr
  const news = new RegistrationNews({ service, id: instance.id, json, stream })
  const states = new StateStream((state) => news.state(state))
  using interrupted = interruption()
  try {
    await using client = await openClient(flags, interrupted.signal)
    await using kept = keepRegistered(client, service, instance, {
      path: pathOf(flags.registry),
      ttl,
      replace: flags.replace,
      signal: interrupted.signal,
      onState: (state) => states.push(state),
    })
    await states.begun(interrupted.signal)
    interrupted[Symbol.dispose]()
    const stop =
      check &&
      watchHealth({
        ...check,
        changed: (well, why) => {
          const health = well ? 'passing' : 'failing'
          news.health(health, why)
          kept.update({ health })
        },
      })
    try {
      const terms = { kept, states, drain, exitOnLost: flags['exit-on-lost'] }
      return guard === undefined ? await untilSignal(terms) : await runRegistered({ ...terms, guard, command })
    } finally {
      stop?.()
    }
  } catch (error) {
    if (interrupted.came !== undefined) return codeOfSignal(interrupted.came)
    throw error
  } finally {
    guard?.dismiss()
  }
}

/** What becomes of a registration, for all who want to know. */
class StateStream {
  readonly #listeners = new Set<(state: RegistrationState) => void>()

  constructor(listener: (state: RegistrationState) => void) {
    this.#listeners.add(listener)
  }

  push(state: RegistrationState): void {
    for (const listener of [...this.#listeners]) listener(state)
  }

  listen(listener: (state: RegistrationState) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves when it is registered, or waits for another to go. @throws what the first attempt came to; the reason of `signal`. */
  begun(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const aborted = (): void => end(() => reject(signal.reason))
      const off = this.listen((state) => {
        if (state.type === 'registered' || state.type === 'waiting') end(resolve)
        else if (state.type === 'registering') end(() => reject(state.problem))
      })
      const end = (settle: () => void): void => {
        off()
        signal.removeEventListener('abort', aborted)
        settle()
      }
      signal.addEventListener('abort', aborted, { once: true })
      if (signal.aborted) aborted()
    })
  }
}

interface Terms {
  readonly kept: KeptRegistration
  readonly states: StateStream
  /** Milliseconds between the end of the registration and the signal to the command. */
  readonly drain: number
  readonly exitOnLost: boolean
}

const isLost = ({ type }: RegistrationState): boolean => type === 'registering' || type === 'deregistered'

const untilSignal = ({ kept, states, exitOnLost }: Terms): Promise<number> =>
  new Promise((resolve) => {
    const end = (code: number): void => {
      off()
      offStates()
      resolve(code)
    }
    const off = onEndSignals(() => end(0))
    const offStates = states.listen((state) => {
      if (exitOnLost && isLost(state)) end(lostCode)
    })
    void kept.ended.then((how) => end(how === 'deregistered' ? lostCode : 0))
  })

interface RegisteredCommand extends Terms {
  readonly guard: Guard
  readonly command: readonly string[]
}

/** The first signal ends the registration, and reaches the command when whoever follows the service has had time to notice; the second one reaches it at once, one more kills it. */
const runRegistered = async (terms: RegisteredCommand): Promise<number> => {
  const { kept, states, drain, exitOnLost, guard, command } = terms
  const { service, instance } = kept
  const environment = {
    CONCLAVE_SERVICE_NAME: service,
    CONCLAVE_SERVICE_ID: instance.id,
    CONCLAVE_SERVICE_ADDRESS: instance.address,
  }
  let lost = false
  const begun = (running: GuardedCommand): (() => void)[] => {
    const hurry = new AbortController()
    const leave = async (signal: NodeJS.Signals): Promise<void> => {
      const isListed = kept.state.type === 'registered' || kept.state.type === 'jeopardy'
      await kept.close()
      if (isListed) await sleep(drain, undefined, { signal: hurry.signal }).catch(() => {})
      hurry.abort()
      running.signal(signal)
    }
    return [
      onEndSignals((signal, before) => {
        if (before === 0) void leave(signal)
        else if (hurry.signal.aborted) running.signal('SIGKILL')
        else hurry.abort()
      }),
      states.listen((state) => {
        if (!exitOnLost || lost || !isLost(state)) return
        lost = true
        running.signal('SIGTERM')
      }),
    ]
  }
  const code = await runGuarded({ guard, command, environment, begun })
  return lost ? lostCode : code
}
