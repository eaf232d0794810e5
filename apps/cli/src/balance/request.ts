/** What `conclave balance simulate` was asked for, from its flags. */
import { readFileSync } from 'node:fs'
import { isStrategyName, type StrategyName, strategyNames } from '@conclave/balance'
import {
  InvalidWorkload,
  isPresetName,
  parseWorkload,
  presetNames,
  presets,
  type Workload,
} from '@conclave/balance/simulate'
import { CommandFailed, exitCodes } from '../exit.ts'

/** `all`, or names, each once. @throws CommandFailed (2) */
export const parseStrategies = (text: string): readonly StrategyName[] => {
  if (text === 'all') return strategyNames
  const names = text.split(',').map((name) => name.trim())
  const known = names.filter(isStrategyName)
  if (known.length === names.length && new Set(names).size === names.length) return known
  throw new CommandFailed(
    exitCodes.usage,
    'invalid-strategies',
    `"${text}" is no list of strategies`,
    `Write "all", or names, each once, separated by commas: ${strategyNames.join(', ')}.`,
  )
}

/** A preset, or what is in a file. @throws CommandFailed (2) */
export const workloadOf = (asked: string): Workload => {
  if (isPresetName(asked)) return presets[asked]
  const value = jsonOf(asked)
  try {
    return parseWorkload(value)
  } catch (error) {
    if (!(error instanceof InvalidWorkload)) throw error
    const hint = 'A preset shows what a workload looks like: conclave balance simulate --workload uniform --json.'
    throw new CommandFailed(exitCodes.usage, error.code, `${asked}: ${error.message}`, hint)
  }
}

const jsonOf = (file: string): unknown => {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new CommandFailed(
      exitCodes.usage,
      'no-workload',
      `"${file}" is no preset, and no workload can be read from it: ${message}`,
      `Presets: ${presetNames.join(', ')}.`,
    )
  }
}
