/** What `conclave compare` was asked for, from its flags. */
import type { ComparisonRequest } from '@conclave/simulator'
import { CommandFailed, exitCodes } from '../exit.ts'
import { parseFaults } from '../simulate/request.ts'

export interface CompareFlags {
  readonly engines: string
  readonly nodes: string
  readonly latency: string
  readonly loss: string
  readonly clients: number
  readonly 'value-bytes': number
  readonly faults: string
  readonly seed: number
  readonly seeds: number
}

const usage = (code: string, message: string, hint: string): CommandFailed =>
  new CommandFailed(exitCodes.usage, code, message, hint)

const listed = (text: string): string[] => text.split(',').map((part) => part.trim())

const leastNodes = 3
const mostNodes = 9

/** `3,5`: sizes of clusters. @throws CommandFailed (2) */
export const parseNodes = (text: string): number[] => {
  const sizes = listed(text).map((size) => (/^\d$/.test(size) ? Number(size) : 0))
  if (sizes.every((size) => size >= leastNodes && size <= mostNodes) && new Set(sizes).size === sizes.length)
    return sizes
  throw usage(
    'invalid-nodes',
    `"${text}" is no list of cluster sizes`,
    `Write different numbers from ${leastNodes} to ${mostNodes}, separated by commas: 3,5.`,
  )
}

const leastLatency = 0.01
/** Far beyond it the time-outs of the profile `lan` make no sense. */
const mostLatency = 50
const units = { us: 0.001, ms: 1 } as const

/** `5ms`, `0.5ms`, `200us` in milliseconds. @throws CommandFailed (2) */
export const parseLatency = (text: string): number => {
  const [, digits, unit] = /^(\d{1,6}(?:\.\d{1,6})?)(us|ms)$/.exec(text) ?? []
  const millis = unit === 'us' || unit === 'ms' ? Number(digits) * units[unit] : 0
  if (millis >= leastLatency && millis <= mostLatency) return millis
  throw usage(
    'invalid-latency',
    `"${text}" is no one-way delay`,
    `Write a number and a unit, from ${leastLatency * 1_000}us to ${mostLatency}ms: 0.5ms, 200us.`,
  )
}

const mostLoss = 30

/** `1%` as 0.01. @throws CommandFailed (2) */
export const parseLoss = (text: string): number => {
  const [, percent] = /^(\d{1,2}(?:\.\d{1,3})?)%$/.exec(text) ?? []
  if (percent !== undefined && Number(percent) <= mostLoss) return Number(percent) / 100
  throw usage('invalid-loss', `"${text}" is no part of all messages`, `Write a percentage from 0% to ${mostLoss}%: 1%.`)
}

/** Names or paths, each once. @throws CommandFailed (2) */
export const parseEngines = (text: string): string[] => {
  const engines = listed(text)
  if (engines.every((engine) => engine !== '') && new Set(engines).size === engines.length) return engines
  throw usage(
    'invalid-engines',
    `"${text}" is no list of engines`,
    'Write each engine once, separated by commas: raft,paxos.',
  )
}

/** @throws CommandFailed (2) if a flag is not what it should be. */
export const requestFrom = (flags: CompareFlags): ComparisonRequest => ({
  nodes: parseNodes(flags.nodes),
  latencyMillis: parseLatency(flags.latency),
  loss: parseLoss(flags.loss),
  clients: flags.clients,
  valueBytes: flags['value-bytes'],
  faults: parseFaults(flags.faults),
  seed: flags.seed,
  seeds: flags.seeds,
})

const percentOf = (part: number): string => `${Number((part * 100).toFixed(3))}%`

/** The command that gives the same figures again. */
export const commandFor = (engines: readonly string[], request: ComparisonRequest): string =>
  [
    `conclave compare --engines ${engines.join(',')}`,
    `--nodes ${request.nodes.join(',')}`,
    `--latency ${request.latencyMillis}ms`,
    `--loss ${percentOf(request.loss)}`,
    `--clients ${request.clients}`,
    `--value-bytes ${request.valueBytes}`,
    ...(request.faults === 'all' ? [] : [`--faults ${request.faults.join(',') || 'none'}`]),
    `--seed ${request.seed}`,
    `--seeds ${request.seeds}`,
  ].join(' ')
