import { setTimeout as sleep } from 'node:timers/promises'

/** What `work` comes to, or undefined as soon as `signal` fires: what is still under way then is nobody's concern. */
export const unlessAborted = <T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> =>
  new Promise((resolve, reject) => {
    const aborted = (): void => resolve(undefined)
    const end = (): void => signal.removeEventListener('abort', aborted)
    signal.addEventListener('abort', aborted, { once: true })
    if (signal.aborted) aborted()
    work.then(
      (value) => {
        end()
        resolve(value)
      },
      (error: unknown) => {
        end()
        reject(error)
      },
    )
  })

/** Resolves after so many milliseconds, or when `signal` fires. The program does not end meanwhile. */
export const pause = (millis: number, signal: AbortSignal): Promise<void> =>
  sleep(millis, undefined, { signal }).catch(() => {})
