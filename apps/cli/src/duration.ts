import { Flags } from '@oclif/core'
import { maxTimeoutSeconds } from './client.ts'
import { CommandFailed, exitCodes } from './exit.ts'

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, '': 1000, m: 60_000, h: 3_600_000 }

/** `30s`, `2m`, `500ms`, `1h`, or seconds without a unit. In milliseconds, from `least` on. @throws CommandFailed (2) */
export const parseDuration = (text: string, flag: string, least = 1): number => {
  const [, digits, unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text) ?? []
  const millis = digits === undefined ? -1 : Math.round(Number(digits) * (units[unit] ?? 0))
  if (millis >= least && millis <= maxTimeoutSeconds * 1000) return millis
  throw new CommandFailed(
    exitCodes.usage,
    'invalid-duration',
    `--${flag} ${text} is no time to wait`,
    'Write for example 30s, 2m or 500ms; at most a day.',
  )
}

export const waitFlag = (description: string) => ({
  wait: Flags.string({ description, helpValue: '30s' }),
})
